"""Running a saving Job: started, followed line by line, and gone at the end whatever happens."""

import asyncio
import contextlib
from collections.abc import AsyncIterator, Awaitable, Callable
from dataclasses import dataclass, field
from typing import Any

from engine.cluster import ClusterError
from engine.cluster.api import Api, Object
from engine.errors import BuildFailed
from engine.registry import Credentials
from engine.saving.events import Clean, Event, decode
from engine.saving.manifests import CONTAINER, report_to, secret_manifest
from engine.saving.reports import Reports, lines, listening
from models.enums import FailureCode

POLL_SECONDS = 0.2
_CONNECT_SECONDS = 0.5
_GONE_SECONDS = 75
"""How long a Job may take to end: its grace, and some."""
# What a kubelet says of an image that it cannot have.
_NO_IMAGE = {"ErrImagePull", "ImagePullBackOff", "InvalidImageName", "ErrImageNeverPull"}

OnEvent = Callable[[Event | str], Awaitable[None]]


@dataclass(slots=True)
class NodeJob:
    """One Job. `on_event` gets its events, and its other lines as they are."""

    api: Api
    manifest: dict[str, Any]
    login: Credentials | None
    start_seconds: float
    on_event: OnEvent
    report_host: str = ""
    """Where the Job can reach this process; if empty, the cluster tells what it prints."""
    clean: bool = False
    """Whether it said at its end that nothing is left on the node."""
    started: bool = False
    """Whether its process has run."""
    ended_by: str | None = None
    """Why the cluster ended it, if it did: `DeadlineExceeded` and the like."""
    _reports: Reports | None = field(default=None, init=False)
    _lines: int = field(default=0, init=False)
    _starts: int = field(default=0, init=False)

    async def run(self) -> None:
        """Run it to its end. Raises BuildFailed, ClusterError, and what `on_event` raises."""
        try:
            async with listening(self.report_host) as self._reports:
                await self._create()
                following = asyncio.create_task(self._follow())
                try:
                    await asyncio.shield(following)
                finally:
                    # Told to stop, it still says that it has cleaned up.
                    await asyncio.shield(self._end(following))
            self.ended_by = await self._failure()
        finally:
            await asyncio.shield(self._remove())

    async def _remove(self) -> None:
        with contextlib.suppress(ClusterError):
            if self.clean:  # it ends by itself; a kubelet may take long to tell that it has
                await _delete(self.api, self._namespace, self._name)
            else:
                await remove(self.api, self._namespace, self._name)

    async def _failure(self) -> str | None:
        with contextlib.suppress(ClusterError):
            job = await self.api.get(f"{jobs_path(self._namespace)}/{self._name}")
            for condition in (job.get("status") or {}).get("conditions") or []:
                if condition["type"] == "Failed" and condition["status"] == "True":
                    return str(condition.get("reason") or "Failed")
        return None

    async def _create(self) -> None:
        if self._reports:
            report_to(self.manifest, self._reports.address)
        job = await self.api.create(jobs_path(self._namespace), self.manifest)
        if self.login:
            # After the Job, whose it is; the kubelet waits for it.
            secret = secret_manifest(dict(job), self.login)
            await self.api.create(f"/api/v1/namespaces/{self._namespace}/secrets", secret)

    async def _end(self, following: asyncio.Task[None]) -> None:
        if not following.done():
            with contextlib.suppress(ClusterError):
                await _delete(self.api, self._namespace, self._name)
            await asyncio.wait({following}, timeout=_GONE_SECONDS)
            following.cancel()
        with contextlib.suppress(asyncio.CancelledError, Exception):
            await following

    async def _follow(self) -> None:
        """Report every line until the Job's pod has ended."""
        pod = await self._started_in_time()
        self.started = True
        while True:
            await self._read(pod["metadata"]["name"])
            if self.clean:
                return
            now = await self._pod()
            if now is None:
                return
            if now["status"]["phase"] in ("Succeeded", "Failed"):
                await self._last_words(now)
                return
            await asyncio.sleep(POLL_SECONDS)

    async def _started_in_time(self) -> Object:
        try:
            async with asyncio.timeout(self.start_seconds):
                return await self._started()
        except TimeoutError:
            raise BuildFailed(
                FailureCode.COMMIT_FAILED,
                f"The saving Job did not start on its node within {self.start_seconds:g} seconds. "
                "Ask an administrator to check the node, and DARKROOM_DOCKER_SOCKET or "
                "DARKROOM_CONTAINERD_SOCKET, whichever it has.",
            ) from None

    async def _started(self) -> Object:
        """The Job's pod, once its process may have run. Raises BuildFailed when it cannot."""
        last: Object | None = None
        while True:
            pod = await self._pod()
            last = pod or last
            # Its process is heard before its kubelet tells of it, and may have run in a pod that
            # was deleted.
            if last and (pod is None or (self._reports and self._reports.waiting)):
                return last
            state = _state_of(pod).get("state") or {} if pod else {}
            if pod and ("running" in state or "terminated" in state):
                return pod
            reason = (state.get("waiting") or {}).get("reason")
            if reason in _NO_IMAGE:
                image = self.manifest["spec"]["template"]["spec"]["containers"][0]["image"]
                raise BuildFailed(
                    FailureCode.COMMIT_FAILED,
                    f"The container's node cannot pull Darkroom's image {image}. Ask an "
                    "administrator to check DARKROOM_SAVE_IMAGE.",
                )
            if pod and pod["status"].get("phase") == "Failed":
                why = pod["status"].get("message") or pod["status"].get("reason") or "no reason"
                raise BuildFailed(
                    FailureCode.COMMIT_FAILED, f"The container's node refused the Job: {why}."
                )
            await asyncio.sleep(POLL_SECONDS)

    async def _pod(self) -> Object | None:
        pods = await pods_of(self.api, self._namespace, self._name)
        return pods[-1] if pods else None

    async def _read(self, pod: str) -> None:
        """Report what the process says, up to its end."""
        if not self._reports:
            with contextlib.suppress(ClusterError):
                await self._read_log(pod)
        elif connection := await self._reports.next(_CONNECT_SECONDS):
            await self._begun()
            async for line in lines(connection):
                await self._report(line)

    async def _begun(self) -> None:
        """The process starts: the first time, or because it was killed."""
        self._starts, self._lines = self._starts + 1, 0
        if self._starts > 1:
            await self.on_event("The saving process was killed, and runs again.")

    async def _last_words(self, pod: Object) -> None:
        """What the pod's status tells of the process's end, should its output be lost."""
        ended = (_state_of(pod).get("state") or {}).get("terminated") or {}
        # Not splitlines(), to which the mark of an event is the end of a line.
        for line in filter(None, (ended.get("message") or "").split("\n")):
            await self._report(line)

    async def _read_log(self, pod: str) -> None:
        """Report the lines of the log that are new."""
        path = f"/api/v1/namespaces/{self._namespace}/pods/{pod}/log"
        found = await self._pod()
        restarts = _state_of(found).get("restartCount", 0) if found else 0
        if self._starts != restarts + 1:
            self._starts = restarts
            await self._begun()
        number = 0
        async with self.api.stream(path, container=CONTAINER, follow="true") as pieces:
            async for line in _split(pieces):
                number += 1
                if number > self._lines:  # the connection may have broken before
                    self._lines = number
                    await self._report(line)

    async def _report(self, line: str) -> None:
        event = decode(line)
        if isinstance(event, Clean):
            self.clean = True
        await self.on_event(event or line)

    @property
    def _name(self) -> str:
        return str(self.manifest["metadata"]["name"])

    @property
    def _namespace(self) -> str:
        return str(self.manifest["metadata"]["namespace"])


def jobs_path(namespace: str) -> str:
    """Where a namespace's Jobs are."""
    return f"/apis/batch/v1/namespaces/{namespace}/jobs"


async def remove(api: Api, namespace: str, name: str) -> None:
    """Delete a Job, with its Secret, and wait until its process has ended. Raises ClusterError."""
    await _delete(api, namespace, name)
    with contextlib.suppress(TimeoutError):
        async with asyncio.timeout(_GONE_SECONDS):
            while True:
                pods = await pods_of(api, namespace, name)
                # What is left of an ended pod is the kubelet's, which takes its time with it.
                if not any(_has_process(pod) for pod in pods):
                    return
                await asyncio.sleep(POLL_SECONDS)


async def pods_of(api: Api, namespace: str, name: str) -> list[Object]:
    """The pods of a Job."""
    path = f"/api/v1/namespaces/{namespace}/pods"
    return await api.items(path, labelSelector=f"job-name={name}")


async def _delete(api: Api, namespace: str, name: str) -> None:
    await api.delete(f"{jobs_path(namespace)}/{name}", propagationPolicy="Background")


def _has_process(pod: Object) -> bool:
    """Whether a pod's process runs, or may start yet."""
    if pod["status"].get("phase") in ("Succeeded", "Failed"):
        return False
    state = _state_of(pod).get("state") or {}
    if pod["metadata"].get("deletionTimestamp"):
        return "running" in state
    return "terminated" not in state


async def _split(pieces: AsyncIterator[bytes]) -> AsyncIterator[str]:
    begun = b""
    async for piece in pieces:
        *lines, begun = (begun + piece).split(b"\n")
        for line in lines:
            yield line.decode(errors="replace")
    if begun:
        yield begun.decode(errors="replace")


def _state_of(pod: Object) -> Object:
    states = (pod.get("status") or {}).get("containerStatuses") or []
    return next((state for state in states if state["name"] == CONTAINER), {})
