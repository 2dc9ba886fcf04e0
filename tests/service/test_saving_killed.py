"""Saving that is cut off: the container goes on, nothing stays behind, and the image is made."""

import os
import signal
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import pytest

from engine.containerd.client import Containerd
from engine.containerd.protos import containerd_pb2 as pb
from tests.fixtures.cluster import NAMESPACE, Lab
from tests.fixtures.service import Client, Server, serving
from tests.service.pulled import files_of
from tests.service.saving import is_clean, job_of, process_of, saved, until, user
from tests.service.test_dockerfile import new_name

WORKBENCH = {"namespace": "research", "pod": "workbench", "container": "shell"}
# So much has to be read while the container is paused that there is time to kill.
WRITE = "dd if=/dev/zero of=/big bs=1M count=300 2>/dev/null"


@pytest.fixture
async def containerd(lab: Lab) -> AsyncIterator[Containerd]:
    async with Containerd(Path(lab.containerd)) as found:
        yield found


@pytest.fixture
def container(lab: Lab) -> str:
    """The id of a container that has much to be read."""
    lab.execute("research", "workbench", "shell", WRITE)
    status = lab.read("pod", "workbench", "--namespace=research")["status"]
    return str(status["containerStatuses"][0]["containerID"]).partition("://")[2]


@pytest.fixture(autouse=True)
def small_again(lab: Lab) -> Any:
    yield
    lab.execute("research", "workbench", "shell", "rm -f /big")


async def is_paused(containerd: Containerd, container: str) -> None:
    async def paused() -> bool:
        return await containerd.status(container) == pb.PAUSED

    await until(paused, pause=0.002)


async def runs_again(containerd: Containerd, container: str) -> None:
    async def runs() -> bool:
        return await containerd.status(container) == pb.RUNNING

    await until(runs)


async def begin(client: Client) -> Any:
    """Begin to save the workbench."""
    created = await client.create("Container", name=new_name(), **WORKBENCH)
    assert created["__typename"] == "CreateImagePayload", created
    return created


async def test_killing_the_process_leaves_the_container_running(
    saving_server: Server, lab: Lab, containerd: Containerd, container: str
) -> None:
    async with user(saving_server, "alice") as alice:
        created = await begin(alice)
        process = await process_of(lab, await job_of(lab, saving_server, created), "containerd")
        await is_paused(containerd, container)
        os.kill(process, signal.SIGKILL)
        await runs_again(containerd, container)
        build = await saved(alice, created)
        assert build["attempt"] == 1
        assert "was killed, and runs again" in await alice.log(build["id"])
        assert (await files_of(created["image"]["reference"]))["installed"] == "numpy\n"
        await is_clean(lab, saving_server, build)


async def test_deleting_the_job_leaves_the_container_running(
    saving_server: Server, lab: Lab, containerd: Containerd, container: str
) -> None:
    async with user(saving_server, "alice") as alice:
        created = await begin(alice)
        job = await job_of(lab, saving_server, created)
        await is_paused(containerd, container)
        lab.kubectl("delete", "job", job, f"--namespace={NAMESPACE}", "--wait=false")
        await runs_again(containerd, container)
        build = await saved(alice, created)  # by another try
        await is_clean(lab, saving_server, build)


async def test_a_cancel_leaves_the_container_running(
    saving_server: Server, lab: Lab, containerd: Containerd, container: str
) -> None:
    cancel = "mutation($id: ID!) { cancelBuild(id: $id) { __typename } }"
    async with user(saving_server, "alice") as alice:
        created = await begin(alice)
        await is_paused(containerd, container)
        await alice.ask(cancel, id=created["build"]["id"])
        await runs_again(containerd, container)
        build = await alice.finished(created)
        assert build["status"] == "CANCELED"
        await is_clean(lab, saving_server, build)


async def test_killing_the_worker_leaves_the_container_running(
    save_settings: dict[str, str],
    lab: Lab,
    containerd: Containerd,
    container: str,
    tmp_path: Path,
) -> None:
    settings = {**save_settings, "LEASE_SECONDS": "3"}
    with serving(tmp_path / "data", settings) as server:
        async with user(server, "alice") as alice:
            created = await begin(alice)
            await is_paused(containerd, container)
            server.kill()
    await runs_again(containerd, container)
    with serving(tmp_path / "data", settings) as again:
        async with user(again, "alice") as alice:
            build = await saved(alice, created)
            assert build["attempt"] == 2
            await is_clean(lab, again, build)
