"""Training tasks of one owner: found by the owner's label, with their pods."""

import asyncio
import contextlib
import re
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import datetime

from engine.cluster.api import Api, Object
from engine.cluster.errors import ClusterNotFound
from engine.cluster.kinds import Kind
from engine.cluster.pods import Pod, pod_of

# What Kubernetes takes as a label's value; other names cannot own anything by a label.
_LABEL_VALUE = re.compile(r"[A-Za-z0-9]([A-Za-z0-9._-]{0,61}[A-Za-z0-9])?")
_NAMES_AT_ONCE = 50
"""Tasks named in one selector, which travels in an address of limited length."""


@dataclass(frozen=True, slots=True)
class Task:
    """A training task."""

    kind: Kind
    namespace: str
    name: str
    uid: str
    created_at: datetime
    running: bool
    pods: tuple[Pod, ...] = ()
    """By name; only running tasks have them."""

    @property
    def key(self) -> str:
        """`resource/namespace/name`: what names it among all tasks of a cluster."""
        return f"{self.kind.resource}/{self.namespace}/{self.name}"

    def pod(self, name: str) -> Pod | None:
        """The task's pod of this name."""
        return next((pod for pod in self.pods if pod.name == name), None)


@dataclass(frozen=True, slots=True)
class TaskLister:
    """Lists tasks of the given kinds; no namespaces means all of them."""

    api: Api
    kinds: tuple[Kind, ...]
    namespaces: tuple[str, ...]
    owner_label: str

    async def owned_by(self, owner: str) -> tuple[Task, ...]:
        """The owner's tasks, running or not, newest first. Raises ClusterError."""
        if not _LABEL_VALUE.fullmatch(owner):
            return ()
        lists = await asyncio.gather(
            *(
                self._tasks(kind, namespace, owner)
                for kind in self.kinds
                for namespace in self.namespaces or (None,)
            )
        )
        tasks = [task for found in lists for task in found]
        pods = await self._pods([task for task in tasks if task.running])
        with_pods = (_with_pods(task, pods, self.owner_label, owner) for task in tasks)
        return tuple(sorted(with_pods, key=lambda task: (task.created_at, task.key), reverse=True))

    async def _tasks(self, kind: Kind, namespace: str | None, owner: str) -> list[Task]:
        within = f"/namespaces/{namespace}" if namespace else ""
        for version in kind.api_versions:
            path = f"/apis/{version}{within}/{kind.plural}"
            with contextlib.suppress(ClusterNotFound):  # the cluster has no such kind
                items = await self.api.items(path, labelSelector=f"{self.owner_label}={owner}")
                return [_task(kind, item) for item in items if not self._is_part_of_another(item)]
        return []

    def _is_part_of_another(self, item: Object) -> bool:
        """Whether a task of a kind we list made this one, as an MPIJob makes its launcher."""
        made_by = {(version, kind.name) for kind in self.kinds for version in kind.api_versions}
        controller = _controller(item)
        return (controller.get("apiVersion"), controller.get("kind")) in made_by

    async def _pods(self, tasks: Sequence[Task]) -> list[Pod]:
        """The pods that name one of the tasks by its kind's label."""
        wanted: dict[tuple[str, str], list[str]] = {}
        for task in tasks:
            wanted.setdefault((task.namespace, task.kind.job_label), []).append(task.name)
        lists = await asyncio.gather(
            *(
                self.api.items(
                    f"/api/v1/namespaces/{namespace}/pods",
                    labelSelector=f"{label} in ({','.join(some)})",
                )
                for (namespace, label), names in wanted.items()
                for some in _batches(names)
            )
        )
        return [pod_of(item) for found in lists for item in found]


def _task(kind: Kind, item: Object) -> Task:
    metadata = item["metadata"]
    return Task(
        kind=kind,
        namespace=metadata["namespace"],
        name=metadata["name"],
        uid=metadata["uid"],
        created_at=datetime.fromisoformat(metadata["creationTimestamp"]),
        running=kind.runs(item),
    )


def _with_pods(task: Task, pods: Iterable[Pod], owner_label: str, owner: str) -> Task:
    if not task.running:
        return task
    own = [pod for pod in pods if _belongs(pod, task, owner_label, owner)]
    return Task(
        task.kind,
        task.namespace,
        task.name,
        task.uid,
        task.created_at,
        task.running,
        tuple(sorted(own, key=lambda pod: pod.name)),
    )


def _belongs(pod: Pod, task: Task, owner_label: str, owner: str) -> bool:
    """Whether a pod is the task's.

    A name alone proves nothing: a task of mine can be called as one of yours is, under another
    kind. So either the task made the pod, or the pod is labelled with the owner too.
    """
    labels = pod.document["metadata"].get("labels") or {}
    if (pod.namespace, labels.get(task.kind.job_label)) != (task.namespace, task.name):
        return False
    return _controller(pod.document).get("uid") == task.uid or labels.get(owner_label) == owner


def _controller(document: Object) -> Object:
    references = document["metadata"].get("ownerReferences") or []
    return next((reference for reference in references if reference.get("controller")), {})


def _batches(names: list[str]) -> Iterable[list[str]]:
    return (names[at : at + _NAMES_AT_ONCE] for at in range(0, len(names), _NAMES_AT_ONCE))
