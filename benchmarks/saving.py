"""Saving running containers of a cluster, against doing the same by hand.

On Docker, from the mutation to SUCCEEDED against `docker commit` and `docker push` of the same
container; on containerd, the bytes that reach the registry against the size of the changed layer.
It runs on the cluster that the tests run on.
"""

import asyncio
import contextlib
import json
import os
import time
from collections.abc import AsyncIterator, Iterator
from pathlib import Path
from typing import Any
from uuid import uuid4

from benchmarks.figures import Figure
from benchmarks.lab import REPOSITORY, Lab
from tests.fixtures import cluster
from tests.fixtures.service import Client, serving
from tests.servers.slow_registry import slow_registry
from tests.service.saving import SAVED, user

COMMAND = "python -m benchmarks saving"
NAMESPACE = "research"
CONTAINER = "main"
MEGABYTES = 48
_OWNER = "alice"
"""Who may enter the pods of the namespace."""


async def run(lab: Lab, rounds: int) -> list[Figure]:
    """The first round warms up: a node pulls Darkroom's image then. It is not counted."""
    if not all(os.environ.get(name) for name in cluster.NEEDED):
        print(f"saving: not measured, for there is no cluster ({', '.join(cluster.NEEDED)}).")
        return []
    found = cluster.lab_of_environment()
    folder = lab.folder / "saving"
    folder.mkdir()
    image = cluster.own_image(found, folder)
    settings = cluster.settings_for(found, cluster.own_account(found, folder), image)
    return [
        await _time(found, settings, folder, rounds),
        await _bytes(found, settings, folder, rounds),
    ]


async def _time(lab: cluster.Lab, settings: dict[str, str], folder: Path, rounds: int) -> Figure:
    measured: list[float] = []
    baseline: list[float] = []
    with _pod(lab, "node1", f"{lab.registry}/{REPOSITORY}:1.35") as pod:
        async with _darkroom(settings, folder / "docker") as client:
            for number in range(rounds + 1):
                sides = [(measured, _saved(client, pod)), (baseline, _by_hand(lab, pod, number))]
                # Neither is always the first.
                for times, work in sides if number % 2 else reversed(sides):
                    _write(lab, pod)
                    start = time.perf_counter()
                    await work
                    times.append(time.perf_counter() - start)
                lab.engine("rmi", _name(lab, pod, number))
    return Figure(
        f"Save a container that wrote {MEGABYTES} MiB, on Docker: mutation to `SUCCEEDED`",
        COMMAND,
        measured[1:],
        baseline[1:],
        baseline_name="`docker commit` + `docker push`",
        unit="s",
        compared="difference",
        target=3,
    )


async def _bytes(lab: cluster.Lab, settings: dict[str, str], folder: Path, rounds: int) -> Figure:
    measured, baseline = [], []
    async with contextlib.AsyncExitStack() as stack:
        door = stack.enter_context(slow_registry(lab.registry))
        # The base image comes from the registry that the result goes to.
        pod = stack.enter_context(_pod(lab, "node2", f"{door.host}/{REPOSITORY}:1.35"))
        through_it = {**settings, "REGISTRY": door.host}
        client = await stack.enter_async_context(_darkroom(through_it, folder / "containerd"))
        for _ in range(rounds):
            _write(lab, pod)
            before = door.received
            build = await _saved(client, pod)
            measured.append((door.received - before) / 1024**2)
            answer = await client.ask(SAVED, id=build["id"])
            baseline.append(answer["container"]["layerSize"] / 1024**2)
    return Figure(
        f"Save a container that wrote {MEGABYTES} MiB, on containerd: bytes sent",
        COMMAND,
        measured,
        baseline,
        baseline_name="the changed layer, compressed",
        unit="MiB",
        compared="ratio",
        target=1.01,
    )


@contextlib.asynccontextmanager
async def _darkroom(settings: dict[str, str], data: Path) -> AsyncIterator[Client]:
    with serving(data, settings) as server:
        async with user(server, _OWNER) as client:
            yield client


@contextlib.contextmanager
def _pod(lab: cluster.Lab, node: str, image: str) -> Iterator[str]:
    """The name of a pod that runs until the block ends."""
    name = f"bench-{uuid4().hex[:8]}"
    container = {"name": CONTAINER, "image": image, "command": ["sleep", "1000000"]}
    pod = {
        "apiVersion": "v1",
        "kind": "Pod",
        "metadata": {"name": name, "namespace": NAMESPACE},
        "spec": {"nodeName": node, "terminationGracePeriodSeconds": 0, "containers": [container]},
    }
    lab.kubectl("apply", "--filename=-", given=json.dumps(pod))
    try:
        lab.kubectl("wait", "--for=condition=Ready", f"--namespace={NAMESPACE}", f"pod/{name}")
        yield name
    finally:
        lab.kubectl("delete", f"--namespace={NAMESPACE}", "--wait=false", f"pod/{name}")


def _write(lab: cluster.Lab, pod: str) -> None:
    """What no registry has yet, and no compression makes smaller."""
    script = f"dd if=/dev/urandom of=/noise bs=1M count={MEGABYTES} 2>/dev/null; sync"
    lab.execute(NAMESPACE, pod, CONTAINER, script)


async def _saved(client: Client, pod: str) -> Any:
    name = f"/bench/{uuid4().hex}:1"
    chosen = {"namespace": NAMESPACE, "pod": pod, "container": CONTAINER}
    build = await client.finished(await client.create("Container", name=name, **chosen))
    if build["status"] != "SUCCEEDED":
        raise RuntimeError(f"The container was not saved: {build['failure']}")
    return build


async def _by_hand(lab: cluster.Lab, pod: str, number: int) -> None:
    name = f"--filter=name=k8s_{CONTAINER}_{pod}_"
    container = (await asyncio.to_thread(lab.engine, "ps", "--quiet", name)).strip()
    await asyncio.to_thread(lab.engine, "commit", container, _name(lab, pod, number))
    await asyncio.to_thread(lab.engine, "push", "--quiet", _name(lab, pod, number))


def _name(lab: cluster.Lab, pod: str, number: int) -> str:
    return f"{lab.registry}/bench/{pod}:{number}"
