"""What the tests of saving have in common."""

import asyncio
import contextlib
from collections.abc import AsyncIterator, Awaitable, Callable
from typing import Any

from engine.installation import instance_of
from schema import ids
from settings import Settings
from tests.fixtures.cluster import NAMESPACE, Lab
from tests.fixtures.service import Client, Server, client_of
from tests.service.tokens import bearer

TASKS = """query($search: String) { trainingTasks(search: $search) {
  id name kind namespace createdAt pods { name node containers { name image running } } } }"""

_PATIENCE = 30  # seconds

SAVED = """query($id: ID!) { build(id: $id) { container {
  namespace pod container node containerId image paused savedBy { name } writtenBytes layerSize
  changedCount mounts { path volume readOnly } described changedFiles { path change size } } } }"""


@contextlib.asynccontextmanager
async def user(server: Server, name: str) -> AsyncIterator[Client]:
    async with client_of(server.url, **bearer(name)) as client:
        yield client


async def task_of(client: Client, name: str) -> Any:
    """The user's running task of this name."""
    tasks = await client.ask(TASKS, search=name)
    return next(task for task in tasks if task["name"] == name)


async def saved(client: Client, created: Any) -> Any:
    """The build of a creation, which succeeded."""
    build = await client.finished(created)
    assert build["status"] == "SUCCEEDED", await client.log(build["id"])
    return build


async def until(holds: Callable[[], Awaitable[Any]], pause: float = 0.1) -> Any:
    """What `holds` answers once it is true; fails when that takes too long."""
    async with asyncio.timeout(_PATIENCE):
        while True:
            if found := await holds():
                return found
            await asyncio.sleep(pause)


def instance(server: Server) -> str:
    """What this Darkroom's doings in the cluster are told by; others may use it meanwhile."""
    return instance_of(Settings(data_dir=server.data))


async def job_of(lab: Lab, server: Server, created: Any) -> str:
    """The name of the Job that saves for a creation."""
    build = ids.decode("Build", created["build"]["id"])
    selector = f"--selector=darkroom/instance={instance(server)},darkroom/build={build}"

    async def find() -> str | None:
        jobs = await asyncio.to_thread(lab.read, "jobs", f"--namespace={NAMESPACE}", selector)
        return next((str(job["metadata"]["name"]) for job in jobs["items"]), None)

    found: str = await until(find)
    return found


async def process_of(lab: Lab, job: str, runtime: str) -> int:
    """The id of a Job's process on the node, as soon as it runs: the cluster tells late."""
    find = _process_of_docker if runtime == "docker" else _process_of_containerd
    found: int = await until(lambda: asyncio.to_thread(find, lab, job), pause=0)
    return found


def _process_of_docker(lab: Lab, job: str) -> int | None:
    found = lab.engine("ps", "--quiet", f"--filter=name=k8s_commit_{job}-").split()
    return int(lab.engine("inspect", "--format={{.State.Pid}}", *found)) if found else None


def _process_of_containerd(lab: Lab, job: str) -> int | None:
    named = f'labels."io.kubernetes.pod.name"~=^{job}-'
    own = f'{named},labels."io.kubernetes.container.name"==commit'
    containers = lab.ctr("containers", "ls", "--quiet", own).split()
    tasks = [line.split() for line in lab.ctr("tasks", "ls").splitlines()]
    running = [int(pid) for id_, pid, state in tasks if id_ in containers and state == "RUNNING"]
    return next(iter(running), None)


async def is_clean(lab: Lab, server: Server, build: Any) -> None:
    """Wait until nothing of a build's saving is left on the nodes or in the cluster."""
    key = f"{instance(server)}-{ids.decode('Build', build['id'])}"

    async def clean() -> bool:
        return not await asyncio.to_thread(_left, lab, key)

    try:
        await until(clean, pause=0.5)
    except TimeoutError:
        raise AssertionError(_left(lab, key)) from None


def _left(lab: Lab, key: str) -> list[str]:
    mine, _, build = key.partition("-")
    images = lab.engine("images", "--all", "--quiet", f"--filter=label=darkroom.save={key}").split()
    listed = (*lab.ctr("leases", "ls").splitlines(), *lab.ctr("snapshots", "ls").splitlines())
    selector = f"--selector=darkroom/instance={mine},darkroom/build={build}"
    objects = lab.read("jobs,secrets", f"--namespace={NAMESPACE}", selector)["items"]
    names = [item["metadata"]["name"] for item in objects]
    return [*images, *(line for line in listed if key in line), *names]
