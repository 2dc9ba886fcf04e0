"""The cluster as the rest of the engine sees it."""

import asyncio
import re
import time
from pathlib import Path
from typing import Self

from engine.cluster.access import User, may_enter, may_see
from engine.cluster.api import Api, within_cluster
from engine.cluster.errors import ClusterNotFound
from engine.cluster.kinds import KINDS
from engine.cluster.pods import Pod, pod_of
from engine.cluster.tasks import Task, TaskLister
from settings import Settings

# Names of objects (RFC 1123): what a user typed becomes a part of a path only as one of these.
_NAME = re.compile(r"[a-z0-9]([a-z0-9.-]{0,251}[a-z0-9])?")

_OWN = "system:"
"""What the cluster's own users and groups begin with, `system:masters` among them."""

FRESH_SECONDS = 2.0
"""An answer about tasks is at most this old."""


class Cluster:
    """One cluster. Every method raises ClusterError."""

    def __init__(self, api: Api, lister: TaskLister, user_prefix: str = "") -> None:
        self.api = api
        self._lister = lister
        self._user_prefix = user_prefix
        self._lists: dict[str, tuple[float, asyncio.Future[tuple[Task, ...]]]] = {}

    @classmethod
    def from_settings(cls, settings: Settings) -> Self | None:
        """The configured cluster, or the one that this process runs in; None without either."""
        if not settings.kubeconfig and not within_cluster():
            return None
        api = Api(Path(settings.kubeconfig) if settings.kubeconfig else None)
        kinds = tuple(KINDS[resource] for resource in settings.task_kinds)
        lister = TaskLister(api, kinds, settings.cluster_namespaces, settings.task_owner_label)
        return cls(api, lister, settings.cluster_user_prefix)

    async def training_tasks(self, owner: str, search: str = "") -> list[Task]:
        """The owner's running tasks whose name contains `search`, newest first."""
        tasks = await self._owned_by(owner)
        return [task for task in tasks if task.running and search.lower() in task.name.lower()]

    async def training_task(self, owner: str, key: str) -> Task | None:
        """The owner's task of this key, running or not; None when there is none of theirs."""
        tasks = await self._owned_by(owner)
        return next((task for task in tasks if task.key == key), None)

    async def pod(self, namespace: str, name: str) -> Pod | None:
        """A pod as it is now."""
        if not (_NAME.fullmatch(namespace) and _NAME.fullmatch(name)):
            return None
        try:
            return pod_of(await self.api.get(f"/api/v1/namespaces/{namespace}/pods/{name}"))
        except ClusterNotFound:
            return None

    async def may_enter(self, user: User, namespace: str, pod: str) -> bool:
        """Whether the cluster would let the user run a command in the pod."""
        named = self._named(user)
        return named is not None and await may_enter(self.api, named, namespace, pod)

    async def may_see(self, user: User, namespace: str, pod: str) -> bool:
        """Whether the cluster would show the user the pod."""
        named = self._named(user)
        return named is not None and await may_see(self.api, named, namespace, pod)

    async def close(self) -> None:
        """Let go of the connections."""
        await self.api.close()

    def _named(self, user: User) -> User | None:
        """The user by the cluster's name for them, who is never one of its own accounts."""
        name = self._user_prefix + user.name
        groups = tuple(group for group in user.groups if not group.startswith(_OWN))
        return None if name.startswith(_OWN) else User(name, groups)

    async def _owned_by(self, owner: str) -> tuple[Task, ...]:
        """A list that is young enough, or a new one, which everybody who asks meanwhile shares."""
        now = time.monotonic()
        self._lists = {
            name: (since, found)
            for name, (since, found) in self._lists.items()
            if now - since < FRESH_SECONDS and not _has_failed(found)
        }
        if owner not in self._lists:
            asking = asyncio.ensure_future(self._lister.owned_by(owner))
            self._lists[owner] = (now, asking)
        # Shielded: who goes away does not take the answer from the others.
        return await asyncio.shield(self._lists[owner][1])


def _has_failed(found: asyncio.Future[tuple[Task, ...]]) -> bool:
    return found.done() and (found.cancelled() or found.exception() is not None)
