"""From what a user asks to save to what goes on record: found, running, and allowed."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

from engine.cluster import Cluster, ClusterError, Container, Pod, Task, User
from engine.errors import FieldProblem, Forbidden, NotFound, Unavailable
from engine.images import Making
from engine.services import Services
from models.enums import Origin

NO_TASK = "You have no such training task."


async def training_tasks(services: Services, owner: str, search: str) -> list[Task]:
    """The owner's running tasks, newest first. Raises Unavailable."""
    async with _cluster(services) as cluster:
        return await cluster.training_tasks(owner, search)


async def from_training_task(
    services: Services, user: User, key: str, pod: str, container: str | None, *, pause: bool
) -> Making:
    """Save a container of the user's own task; its main one when none is named.

    Raises NotFound for what is not theirs, and Unavailable.
    """
    _require_image(services)
    async with _cluster(services) as cluster:
        task = await cluster.training_task(user.name, key)
    if task is None:
        raise NotFound(NO_TASK)
    found, chosen, problems = _choose(task, pod, container)
    source = {"task": task.name, "taskKey": task.key, **_source(found, chosen, user, pause)}
    return Making(Origin.TRAINING_TASK, source, problems=problems)


async def from_container(
    services: Services, user: User, namespace: str, pod: str, container: str, *, pause: bool
) -> Making:
    """Save any container that the cluster would let the user into.

    Raises NotFound alike for what does not exist and for what the user may not see, Forbidden for
    what they may see and not enter, and Unavailable.
    """
    _require_image(services)
    missing = NotFound(f"There is no pod {namespace}/{pod}.")
    async with _cluster(services) as cluster:
        if not await cluster.may_enter(user, namespace, pod):
            if not await cluster.may_see(user, namespace, pod):
                raise missing
            if await cluster.pod(namespace, pod):
                raise Forbidden(
                    f"You may see the pod {namespace}/{pod}, but not enter it (the right to "
                    "`create pods/exec`). Ask its owner."
                )
            raise missing
        found = await cluster.pod(namespace, pod)
    if found is None:
        raise missing
    chosen = found.container(container)
    problems = _problems(found, chosen, container)
    return Making(Origin.CONTAINER, _source(found, chosen, user, pause), problems=problems)


def _choose(
    task: Task, pod: str, container: str | None
) -> tuple[Pod | None, Container | None, list[FieldProblem]]:
    if not task.running:
        message = f"{task.name} does not run. Only a task that runs can be saved."
        return None, None, [FieldProblem("task", message)]
    found = task.pod(pod)
    if found is None:
        names = ", ".join(other.name for other in task.pods) or "none at the moment"
        message = f"{task.name} has no pod {pod}. It has: {names}."
        return None, None, [FieldProblem("pod", message)]
    chosen = found.container(container) if container else found.main_container(task.kind.main)
    return found, chosen, _problems(found, chosen, container)


def _problems(pod: Pod, chosen: Container | None, asked: str | None) -> list[FieldProblem]:
    if chosen is None:
        names = ", ".join(container.name for container in pod.containers)
        message = f"The pod {pod.name} has no container {asked}. It has: {names}."
        return [FieldProblem("container", message)]
    if not chosen.running:
        message = f"The container {chosen.name} does not run. Only one that runs can be saved."
        return [FieldProblem("container", message)]
    if chosen.runtime is None:
        kind = chosen.id.partition("://")[0]
        message = f"It runs on {kind}; containers of Docker Engine and containerd can be saved."
        return [FieldProblem("container", message)]
    return []


def _source(
    pod: Pod | None, container: Container | None, user: User, pause: bool
) -> dict[str, Any]:
    """What goes on record. The pod's uid and the groups are for the worker alone."""
    return {
        "namespace": pod.namespace if pod else "",
        "pod": pod.name if pod else "",
        "podUid": pod.uid if pod else "",
        "container": container.name if container else "",
        "pause": pause,
        "groups": list(user.groups),
    }


@asynccontextmanager
async def _cluster(services: Services) -> AsyncIterator[Cluster]:
    if services.cluster is None:
        raise Unavailable("No cluster is configured. Ask an administrator to configure one.")
    try:
        yield services.cluster
    except ClusterError as error:
        raise Unavailable(error.message) from error


def _require_image(services: Services) -> None:
    if not services.settings.save_image:
        raise Unavailable(
            "Containers cannot be saved here: DARKROOM_SAVE_IMAGE does not name the image for it. "
            "Ask an administrator."
        )
