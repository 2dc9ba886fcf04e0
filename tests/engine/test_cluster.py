"""The cluster's client against a real API server."""

import asyncio
import contextlib
import json
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import pytest

from engine.cluster import Cluster, ClusterRefused, ClusterUnreachable, User
from engine.cluster.client import FRESH_SECONDS
from settings import Settings
from tests.fixtures.cluster import Lab
from tests.service.saving import until

TASK = {
    "apiVersion": "kubeflow.org/v1",
    "kind": "TFJob",
    # As bob's Volcano Job is called, whose pods are not alice's for that.
    "metadata": {"name": "bob-sweep", "namespace": "training", "labels": {"owner": "alice"}},
    "spec": {},
}


def definition(kind: str, version: str = "v1") -> dict[str, Any]:
    """Its group, version, scope and names are the operator's; its schema is open."""
    plural = f"{kind.lower()}s"
    schema = {"type": "object", "x-kubernetes-preserve-unknown-fields": True}
    return {
        "apiVersion": "apiextensions.k8s.io/v1",
        "kind": "CustomResourceDefinition",
        "metadata": {"name": f"{plural}.kubeflow.org"},
        "spec": {
            "group": "kubeflow.org",
            "scope": "Namespaced",
            "names": {"kind": kind, "plural": plural},
            "versions": [
                {
                    "name": version,
                    "served": True,
                    "storage": True,
                    "subresources": {"status": {}},
                    "schema": {"openAPIV3Schema": schema},
                }
            ],
        },
    }


async def define(lab: Lab, kind: str, version: str) -> None:
    """Give the cluster a kind, and wait until it serves it: one of its name may just have gone."""
    lab.kubectl("apply", "--filename=-", given=json.dumps(definition(kind, version)))
    address = f"/apis/kubeflow.org/{version}/{kind.lower()}s"

    async def is_served() -> bool:
        with contextlib.suppress(AssertionError):
            return bool(lab.kubectl("get", f"--raw={address}"))
        return False

    await until(is_served)


@contextlib.asynccontextmanager
async def cluster_of(kubeconfig: Path, **settings: Any) -> AsyncIterator[Cluster]:
    cluster = Cluster.from_settings(Settings(kubeconfig=str(kubeconfig), **settings))
    assert cluster
    try:
        yield cluster
    finally:
        await cluster.close()


@pytest.fixture
async def tf_job(lab: Lab) -> AsyncIterator[None]:
    """A kind that the lab lacks, and a running task of it."""
    try:
        await define(lab, "TFJob", "v1")
        lab.kubectl("apply", "--filename=-", given=json.dumps(TASK))
        running = {"status": {"conditions": [{"type": "Running", "status": "True"}]}}
        where = ("tfjob", "bob-sweep", "--namespace=training")
        patch = ("--subresource=status", "--type=merge", f"--patch={json.dumps(running)}")
        lab.kubectl("patch", *where, *patch)
        yield
    finally:
        lab.kubectl("delete", "crd", "tfjobs.kubeflow.org", "--ignore-not-found")


async def test_kinds_that_the_cluster_lacks_are_no_error(account: Path) -> None:
    async with cluster_of(account) as cluster:
        names = {task.name for task in await cluster.training_tasks("alice")}
        assert {"alice-resnet", "alice-bert", "alice-llama"} <= names
        assert "alice-done" not in names


@pytest.mark.parametrize(("kind", "version"), [("TFJob", "v1"), ("MPIJob", "v2beta1")])
async def test_kubeflows_kinds_are_listed_while_they_run(
    kind: str, version: str, account: Path, lab: Lab
) -> None:
    """With the pods that the operator labels with the name of their task."""
    where = (f"{kind.lower()}s.kubeflow.org", "alice-gpt")
    here = "--namespace=training"

    def report(*conditions: str) -> None:
        status = {"conditions": [{"type": type_, "status": "True"} for type_ in conditions]}
        patch = f"--patch={json.dumps({'status': status})}"
        lab.kubectl("patch", *where, here, "--subresource=status", "--type=merge", patch)

    async def listed() -> list[tuple[str, list[str]]]:
        async with cluster_of(account) as cluster:
            tasks = await cluster.training_tasks("alice", "alice-gpt")
        return [(task.key, [pod.name for pod in task.pods]) for task in tasks]

    try:
        await define(lab, kind, version)
        metadata = {"name": "alice-gpt", "namespace": "training", "labels": {"owner": "alice"}}
        api = f"kubeflow.org/{version}"
        task = {"apiVersion": api, "kind": kind, "metadata": metadata}
        lab.kubectl("apply", "--filename=-", given=json.dumps(task))
        labels = {"training.kubeflow.org/job-name": "alice-gpt", "owner": "alice"}
        metadata = {"name": "alice-gpt-worker-0", "namespace": "training", "labels": labels}
        pod = {
            "apiVersion": "v1",
            "kind": "Pod",
            "metadata": metadata,
            # Nobody places it: it is to be found, not to run.
            "spec": {"schedulerName": "nobody", "containers": [{"name": "x", "image": "x"}]},
        }
        lab.kubectl("apply", "--filename=-", given=json.dumps(pod))
        report("Created")
        assert await listed() == []
        report("Created", "Running")
        assert await listed() == [(f"{where[0]}/training/alice-gpt", ["alice-gpt-worker-0"])]
        report("Created", "Running", "Succeeded")
        assert await listed() == []
    finally:
        lab.kubectl("delete", "crd", where[0], "--ignore-not-found")
        lab.kubectl("delete", "pod", "alice-gpt-worker-0", here, "--ignore-not-found")


async def test_a_name_gives_no_claim_to_the_pods_of_another(account: Path, tf_job: None) -> None:
    async with cluster_of(account) as cluster:
        tasks = {task.key: task for task in await cluster.training_tasks("alice")}
        assert tasks["tfjobs.kubeflow.org/training/bob-sweep"].pods == ()
        assert list(tasks) == sorted(
            tasks, key=lambda key: (tasks[key].created_at, key), reverse=True
        )


async def test_the_list_is_young(account: Path, lab: Lab) -> None:
    job = lab.read("job", "alice-bert", "--namespace=training")
    fresh = {
        "apiVersion": "batch/v1",
        "kind": "Job",
        "metadata": {"name": "alice-new", "namespace": "training", "labels": {"owner": "alice"}},
        "spec": {"template": {"spec": job["spec"]["template"]["spec"]}},
    }
    async with cluster_of(account) as cluster:
        await cluster.training_tasks("alice")
        lab.kubectl("apply", "--filename=-", given=json.dumps(fresh))
        try:
            async with asyncio.timeout(FRESH_SECONDS + 10):
                while True:
                    if await cluster.training_tasks("alice", "alice-new"):
                        break
                    await asyncio.sleep(0.2)
        finally:
            lab.kubectl("delete", "job", "alice-new", "--namespace=training", "--wait=false")


async def test_namespaces_narrow_the_list(account: Path) -> None:
    async with cluster_of(account, cluster_namespaces=("research",)) as cluster:
        assert await cluster.training_tasks("alice") == []


async def test_who_may_enter_is_the_clusters_answer(account: Path) -> None:
    async with cluster_of(account) as cluster:
        assert await cluster.may_enter(User("alice"), "research", "notebook")
        assert not await cluster.may_enter(User("bob"), "research", "notebook")
        assert not await cluster.may_enter(User("alice"), "training", "notebook")
        # Nobody becomes one of the cluster's own by a name or a group of ours.
        assert not await cluster.may_enter(User("system:admin"), "research", "notebook")
        assert not await cluster.may_enter(User("bob", ("system:masters",)), "research", "notebook")


async def test_what_is_no_name_is_no_pod(account: Path) -> None:
    async with cluster_of(account) as cluster:
        assert await cluster.pod("research", "nothing") is None
        assert await cluster.pod("research", "../../secrets") is None


async def test_an_account_without_rights_says_which_it_lacks(lab: Lab) -> None:
    async with cluster_of(lab.kubeconfig.with_name("bob")) as cluster:
        with pytest.raises(ClusterRefused, match="cannot list resource"):
            await cluster.training_tasks("bob")


async def test_a_cluster_that_is_away_is_unreachable(tmp_path: Path) -> None:
    kubeconfig = tmp_path / "kubeconfig"
    entry = {"name": "x", "cluster": {"server": "http://127.0.0.1:9"}}
    context = {"name": "x", "context": {"cluster": "x", "user": "x"}}
    kubeconfig.write_text(
        json.dumps(
            {
                "apiVersion": "v1",
                "kind": "Config",
                "clusters": [entry],
                "users": [{"name": "x", "user": {"token": "secret"}}],
                "contexts": [context],
                "current-context": "x",
            }
        )
    )
    async with cluster_of(kubeconfig) as cluster:
        with pytest.raises(ClusterUnreachable) as raised:
            await cluster.training_tasks("alice")
    assert "secret" not in str(raised.value)


def test_without_a_kubeconfig_there_is_no_cluster(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("KUBERNETES_SERVICE_HOST", raising=False)
    assert Cluster.from_settings(Settings()) is None
