"""Each kind of task says in its own way that it runs; each container says what runs it."""

from typing import Any

import pytest

from engine.cluster.kinds import KINDS, batch_job_runs, kubeflow_job_runs, volcano_job_runs
from engine.cluster.pods import pod_of
from models.enums import Runtime
from settings import TASK_KINDS


def conditions(*types: str, **others: str) -> list[dict[str, str]]:
    return [{"type": name, "status": "True"} for name in types] + [
        {"type": name, "status": status} for name, status in others.items()
    ]


@pytest.mark.parametrize(
    ("status", "runs"),
    [
        ({"active": 1}, True),
        ({}, False),
        ({"active": 0, "succeeded": 1, "conditions": conditions("Complete")}, False),
        ({"active": 1, "conditions": conditions("Failed")}, False),
        ({"active": 1, "conditions": conditions("Suspended")}, False),
        ({"active": 1, "conditions": conditions(Suspended="False")}, True),
    ],
)
def test_batch_jobs(status: Any, runs: bool) -> None:
    assert batch_job_runs({"status": status}) is runs


@pytest.mark.parametrize(
    ("status", "runs"),
    [
        (conditions("Created"), False),
        (conditions("Created", "Running"), True),
        (conditions("Created", "Succeeded", Running="False"), False),
        (conditions("Running", "Failed"), False),
        (conditions("Created", "Suspended", Running="False"), False),
    ],
)
def test_kubeflow_jobs(status: Any, runs: bool) -> None:
    assert kubeflow_job_runs({"status": {"conditions": status}}) is runs


@pytest.mark.parametrize(
    ("phase", "runs"),
    [("Running", True), ("Pending", False), ("Completed", False), ("Aborted", False)],
)
def test_volcano_jobs(phase: str, runs: bool) -> None:
    assert volcano_job_runs({"status": {"state": {"phase": phase}}}) is runs
    assert volcano_job_runs({}) is False


def test_the_settings_know_every_kind() -> None:
    assert set(TASK_KINDS) == set(KINDS)


def document(*ids: str, annotations: dict[str, str] | None = None) -> dict[str, Any]:
    names = [f"c{number}" for number in range(len(ids))]
    return {
        "metadata": {"namespace": "n", "name": "p", "uid": "u", "annotations": annotations},
        "spec": {"containers": [{"name": name, "image": "i"} for name in names]},
        "status": {
            "containerStatuses": [
                {"name": name, "containerID": id_, "state": {"running": {}}}
                for name, id_ in zip(names, ids, strict=True)
                if id_
            ]
        },
    }


def test_the_runtime_is_told_by_the_ids_prefix() -> None:
    pod = pod_of(document("docker://ab", "containerd://cd", "cri-o://ef", ""))
    assert [container.runtime for container in pod.containers] == [
        Runtime.DOCKER,
        Runtime.CONTAINERD,
        None,
        None,
    ]
    assert [container.bare_id for container in pod.containers] == ["ab", "cd", "ef", ""]
    assert [container.running for container in pod.containers] == [True, True, True, False]


def test_the_main_container_is_annotated_or_conventional_or_first() -> None:
    pod = pod_of(document("docker://a", "docker://b", "docker://c"))
    assert (main := pod.main_container())
    assert main.name == "c0"
    assert (named := pod.main_container(("pytorch", "c1")))
    assert named.name == "c1"
    annotations = {"kubectl.kubernetes.io/default-container": "c2"}
    annotated = pod_of(document("docker://a", "docker://b", "docker://c", annotations=annotations))
    assert (chosen := annotated.main_container(("c1",)))
    assert chosen.name == "c2"
