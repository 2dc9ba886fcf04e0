"""Saving, and what the registry has to say to it: logins, refusals, and failures."""

from pathlib import Path

import pytest

from tests.fixtures.cluster import NAMESPACE, Lab
from tests.fixtures.registry import RegistryServer
from tests.fixtures.service import serving
from tests.servers.failing_registry import failing_registry
from tests.service.pulled import files_of
from tests.service.saving import instance, is_clean, saved, task_of, user
from tests.service.test_dockerfile import new_name

WORKBENCH = {"namespace": "research", "pod": "workbench", "container": "shell"}


@pytest.mark.parametrize("runtime", ["docker", "containerd"])
async def test_a_failed_push_is_repeated_without_reading_the_container_again(
    runtime: str,
    save_settings: dict[str, str],
    lab: Lab,
    registry: RegistryServer,
    tmp_path: Path,
) -> None:
    async with failing_registry(registry.host, failures=2) as failing:
        settings = {**save_settings, "REGISTRY": failing.host}
        with serving(tmp_path / "data", settings) as server:
            async with user(server, "alice") as alice:
                if runtime == "docker":
                    task = await task_of(alice, "alice-resnet")
                    chosen = {"task": task["id"], "pod": task["pods"][0]["name"]}
                    created = await alice.create("TrainingTask", name=new_name(), **chosen)
                else:
                    created = await alice.create("Container", name=new_name(), **WORKBENCH)
                build = await saved(alice, created)
                log = await alice.log(build["id"])
                reference = created["image"]["reference"]
                files = await files_of(reference)
    assert failing.refused == 2
    assert build["attempt"] == 1
    assert log.count("Read what the container wrote") == 1
    assert "This was push 1 of 5" in log
    assert "opt/model/weights" in files or "installed" in files
    await is_clean(lab, server, build)


async def test_a_push_that_fails_for_good_leaves_nothing(
    save_settings: dict[str, str], lab: Lab, registry: RegistryServer, tmp_path: Path
) -> None:
    async with failing_registry(registry.host, failures=99) as failing:
        settings = {**save_settings, "REGISTRY": failing.host, "BUILD_ATTEMPTS": "3"}
        with serving(tmp_path / "data", settings) as server:
            async with user(server, "alice") as alice:
                created = await alice.create("Container", name=new_name(), **WORKBENCH)
                build = await alice.finished(created)
    assert build["status"] == "FAILED"
    assert build["failure"]["code"] == "REGISTRY_UNREACHABLE"
    assert failing.refused == 3
    assert build["steps"][build["failure"]["step"] - 1]["name"] == "Push the image"
    await is_clean(lab, server, build)


async def test_a_login_reaches_the_job_by_a_secret_that_goes_with_it(
    save_settings: dict[str, str], lab: Lab, bearer_registry: RegistryServer, tmp_path: Path
) -> None:
    assert bearer_registry.credentials
    login = bearer_registry.credentials
    settings = {
        **save_settings,
        "REGISTRY": bearer_registry.host,
        "REGISTRY_USERNAME": login.username,
        "REGISTRY_PASSWORD": login.password,
    }
    with serving(tmp_path / "data", settings) as server:
        async with user(server, "alice") as alice:
            created = await alice.create("Container", name=new_name(), **WORKBENCH)
            build = await saved(alice, created)
            assert login.password not in await alice.log(build["id"])
    await is_clean(lab, server, build)


async def test_who_may_not_push_is_told_before_the_container_is_paused(
    save_settings: dict[str, str], lab: Lab, bearer_registry: RegistryServer, tmp_path: Path
) -> None:
    assert bearer_registry.guest
    guest = bearer_registry.guest
    settings = {
        **save_settings,
        "REGISTRY": bearer_registry.host,
        "REGISTRY_USERNAME": guest.username,
        "REGISTRY_PASSWORD": guest.password,
    }
    with serving(tmp_path / "data", settings) as server:
        async with user(server, "alice") as alice:
            created = await alice.create("Container", name=new_name(), **WORKBENCH)
            build = await alice.finished(created)
    assert build["status"] == "FAILED"
    assert build["failure"]["code"] == "PUSH_DENIED"
    steps = {step["name"]: step["status"] for step in build["steps"]}
    assert steps == {"Locate the container": "DONE", "Check what can be checked": "FAILED"}
    await is_clean(lab, server, build)


async def test_a_container_that_wrote_too_much_is_not_paused(
    save_settings: dict[str, str], lab: Lab, tmp_path: Path
) -> None:
    with serving(tmp_path / "data", {**save_settings, "SAVE_LAYER_BYTES": "10"}) as server:
        async with user(server, "alice") as alice:
            created = await alice.create("Container", name=new_name(), **WORKBENCH)
            build = await alice.finished(created)
    assert build["failure"]["code"] == "CONTAINER_TOO_LARGE"
    assert build["failure"]["blame"] == "USER"
    assert "Pause the container" not in [step["name"] for step in build["steps"]]
    await is_clean(lab, server, build)


async def test_the_job_has_no_more_than_the_socket(
    save_settings: dict[str, str], lab: Lab, tmp_path: Path
) -> None:
    with serving(tmp_path / "data", save_settings) as server:
        async with user(server, "alice") as alice:
            created = await alice.create("Container", name=new_name(), **WORKBENCH)
            await alice.reached(created["build"]["id"], "BUILDING")
            job = None
            while job is None:
                mine = f"--selector=darkroom/instance={instance(server)}"
                jobs = lab.read("jobs", f"--namespace={NAMESPACE}", mine)["items"]
                job = next(iter(jobs), None)
            await saved(alice, created)
    pod = job["spec"]["template"]["spec"]
    (container,) = pod["containers"]
    assert [volume["hostPath"]["type"] for volume in pod["volumes"]] == ["Socket"]
    assert container["securityContext"]["capabilities"] == {"drop": ["ALL"]}
    assert container["securityContext"]["privileged"] is False
    assert container["securityContext"]["allowPrivilegeEscalation"] is False
    assert pod["automountServiceAccountToken"] is False
    assert pod["tolerations"] == [{"operator": "Exists"}]
    assert pod["nodeName"] == "node2"
    assert container["resources"]["limits"]


async def test_what_may_not_be_pushed_is_not_saved(
    save_settings: dict[str, str], lab: Lab, tmp_path: Path
) -> None:
    rebuild = """mutation($id: ID!) { rebuildImage(id: $id, input: { pinned: false }) {
      __typename ... on Error { message } } }"""
    own = new_name().removeprefix("/")
    with serving(tmp_path / "data", {**save_settings, "PUSH_POLICY": "{user}/**"}) as server:
        async with user(server, "alice") as alice:
            task = await task_of(alice, "alice-resnet")
            ways = {
                "Container": WORKBENCH,
                "TrainingTask": {"task": task["id"], "pod": task["pods"][0]["name"]},
            }
            for way, chosen in ways.items():
                refused = await alice.create(way, name=f"/bob/{own}", **chosen)
                assert refused["__typename"] == "ForbiddenError"
                assert "You may not push to /bob/" in refused["message"]
            created = await alice.create("Container", name=f"/alice/{own}", **WORKBENCH)
            await saved(alice, created)
    # Saving again asks the policy of that day.
    with serving(tmp_path / "data", {**save_settings, "PUSH_POLICY": "teams/**"}) as server:
        async with user(server, "alice") as alice:
            again = await alice.ask(rebuild, id=created["image"]["id"])
            assert again["__typename"] == "ForbiddenError"
            assert "You may not push to /alice/" in again["message"]
