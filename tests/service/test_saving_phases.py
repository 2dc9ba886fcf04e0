"""Saving that is killed in each of its phases, on both runtimes at once.

A registry that holds back an answer keeps a saving in the phase that asked; what is paused is seen
at its runtime. Afterwards the containers run, the images are made, and nothing is left behind.
"""

import asyncio
import contextlib
import json
import os
import signal
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from schema import ids
from tests.fixtures.cluster import Lab
from tests.fixtures.service import Client, Server, serving
from tests.servers.slow_registry import LONGEST, SlowRegistry, slow_registry
from tests.service.pulled import files_of
from tests.service.saving import is_clean, job_of, process_of, saved, until, user
from tests.service.test_dockerfile import new_name

PODS = {"docker": "phases-docker", "containerd": "phases-containerd"}
NODES = {"docker": "node1", "containerd": "node2"}
CONTAINER = "main"


@pytest.fixture(scope="module", autouse=True)
def pods(lab: Lab) -> Iterator[None]:
    """A container of each runtime that wrote its runtime's name."""
    image = lab.read("pod", "notebook", "--namespace=research")["spec"]["containers"][0]["image"]
    names = [f"pod/{name}" for name in PODS.values()]
    try:
        for runtime, name in PODS.items():
            command = ["sh", "-c", f"echo {runtime} > /installed; sleep 1000000"]
            container = {"name": CONTAINER, "image": image, "command": command}
            spec = {"nodeName": NODES[runtime], "containers": [container]}
            metadata = {"name": name, "namespace": "research"}
            pod = {"apiVersion": "v1", "kind": "Pod", "metadata": metadata, "spec": spec}
            lab.kubectl("apply", "--filename=-", given=json.dumps(pod))
        lab.kubectl("wait", "--for=condition=Ready", "--namespace=research", *names)
        yield
    finally:
        # At once: what uses them next makes new ones of the same names.
        lab.kubectl("delete", "--namespace=research", "--force", "--grace-period=0", *names)


@dataclass(frozen=True)
class Held:
    """What the registry is asked in a phase; the numbers say the how manieth of its kind it is."""

    phase: str
    method: str
    path: str
    docker: int = 1
    containerd: int = 1

    def number(self, runtime: str) -> int:
        return self.docker if runtime == "docker" else self.containerd


# The mutation looks at the tag first, the worker before it looks for the container.
LOCATE = Held("", "HEAD", "manifests/", 2, 2)
CHECK = Held("Check what can be checked", "POST", "blobs/uploads/")
PUSH = Held("Push the image", "PUT", "blobs/uploads/")
# On Docker the Job reads the layer again before the worker does.
RECORD = Held("Record what was saved", "GET", "manifests/sha256:", 2, 1)


@pytest.fixture
def door(lab: Lab) -> Iterator[SlowRegistry]:
    with slow_registry(lab.registry) as found:
        yield found


@contextlib.asynccontextmanager
async def both_held(client: Client, door: SlowRegistry, at: Held) -> Any:
    """Save a container of each runtime, and wait until both have come to the phase."""
    names = {runtime: new_name() for runtime in PODS}
    with contextlib.ExitStack() as stack:
        holds = []
        for runtime, name in names.items():
            path = f"{name.partition(':')[0]}/{at.path}"
            held = door.holding(at.method, path, number=at.number(runtime))
            holds.append(stack.enter_context(held))
        created = {runtime: await save(client, runtime, name) for runtime, name in names.items()}
        for hold in holds:
            assert await asyncio.to_thread(hold.arrived.wait, LONGEST), hold
        for build in (one["build"]["id"] for one in created.values()):
            await is_in(client, build, at.phase)
        yield created


async def save(client: Client, runtime: str, name: str) -> Any:
    chosen = {"pod": PODS[runtime], "container": CONTAINER}
    return await client.create("Container", name=name, namespace="research", **chosen)


async def is_in(client: Client, build: str, phase: str) -> None:
    """Wait until the phase runs; an empty one is before all of them."""
    query = "query($id: ID!) { build(id: $id) { steps { name status } } }"

    async def runs() -> bool:
        steps = (await client.ask(query, id=build))["steps"]
        return {"name": phase, "status": "RUNNING"} in steps if phase else not steps

    await until(runs)


async def all_is_well(client: Client, lab: Lab, server: Server, created: Any, attempt: int) -> None:
    """The images are made by this try, the containers run, and nothing is left of the saving."""
    for runtime, one in created.items():
        build = await saved(client, one)
        assert build["attempt"] == attempt
        assert (await files_of(one["image"]["reference"]))["installed"] == f"{runtime}\n"
        await is_clean(lab, server, build)
        runs(lab, runtime)


def runs(lab: Lab, runtime: str) -> None:
    """A paused container runs no command."""
    assert lab.execute("research", PODS[runtime], CONTAINER, "echo yes") == "yes\n"


@pytest.mark.parametrize("at", [CHECK, PUSH], ids=["check", "push"])
async def test_the_jobs_process_is_killed(
    at: Held, save_settings: dict[str, str], lab: Lab, door: SlowRegistry, tmp_path: Path
) -> None:
    with serving(tmp_path / "data", {**save_settings, "REGISTRY": door.host}) as server:
        async with user(server, "alice") as alice:
            async with both_held(alice, door, at) as created:
                for runtime, one in created.items():
                    process = await process_of(lab, await job_of(lab, server, one), runtime)
                    os.kill(process, signal.SIGKILL)
            await all_is_well(alice, lab, server, created, attempt=1)
            for one in created.values():
                assert "was killed, and runs again" in await alice.log(one["build"]["id"])


@pytest.mark.parametrize(
    "at", [LOCATE, CHECK, PUSH, RECORD], ids=["locate", "check", "push", "record"]
)
async def test_the_worker_is_killed(
    at: Held, save_settings: dict[str, str], lab: Lab, door: SlowRegistry, tmp_path: Path
) -> None:
    settings = {**save_settings, "REGISTRY": door.host, "LEASE_SECONDS": "2"}
    with serving(tmp_path / "data", settings) as server:
        async with user(server, "alice") as alice, both_held(alice, door, at) as created:
            server.kill()
    with serving(tmp_path / "data", settings) as again:
        async with user(again, "alice") as alice:
            await all_is_well(alice, lab, again, created, attempt=2)


@pytest.mark.parametrize("victim", ["process", "worker"])
async def test_docker_has_paused_the_container(
    victim: str, save_settings: dict[str, str], lab: Lab, tmp_path: Path
) -> None:
    """Docker's own commit goes on to its end; what it has made by then is found and removed."""
    settings = {**save_settings, "LEASE_SECONDS": "2"}
    big = "dd if=/dev/zero of=/big bs=1M count=100 2>/dev/null"
    lab.execute("research", PODS["docker"], CONTAINER, big)

    async def is_paused() -> bool:
        filters = ("--filter=status=paused", f"--filter=name=k8s_{CONTAINER}_{PODS['docker']}_")
        return bool(await asyncio.to_thread(lab.engine, "ps", "--quiet", *filters))

    try:
        with serving(tmp_path / "data", settings) as server:
            async with user(server, "alice") as alice:
                created = {"docker": await save(alice, "docker", new_name())}
                await until(is_paused, pause=0)
                if victim == "worker":
                    server.kill()
                else:
                    # The cluster does not know of it yet.
                    number = ids.decode("Build", created["docker"]["build"]["id"])
                    name = f"--filter=name=k8s_commit_darkroom-save-{number}-"
                    saving = lab.engine("ps", "--quiet", name)
                    lab.engine("kill", "--signal=KILL", *saving.split())
                    await all_is_well(alice, lab, server, created, attempt=1)
        if victim == "worker":
            with serving(tmp_path / "data", settings) as again:
                async with user(again, "alice") as alice:
                    await all_is_well(alice, lab, again, created, attempt=2)
    finally:
        lab.execute("research", PODS["docker"], CONTAINER, "rm -f /big")
