"""The steps of a build, put on record as they happen."""

import asyncio

from engine.docker.events import StepChanged
from engine.notify import Notifier
from models import Build, BuildStep
from models.database import transaction
from models.enums import StepStatus

# Steps change in bursts; a reader sees them this much later at most.
GATHER_SECONDS = 0.05


class StepRecorder:
    """Writes the newest state of every step while the build's claim holds, and tells readers."""

    def __init__(self, build: Build, notifier: Notifier) -> None:
        self._build = build
        self._notifier = notifier
        self._newest: dict[int, StepChanged] = {}
        self._unwritten: dict[int, StepChanged] = {}
        self._writing: asyncio.Task[None] | None = None

    def begins(self, event: StepChanged) -> bool:
        """Whether the step waited until now, and does so no longer."""
        before = self._newest.get(event.index)
        waited = before is None or before.status is StepStatus.PENDING
        return waited and event.status not in (StepStatus.PENDING, StepStatus.CANCELED)

    def change(self, event: StepChanged) -> None:
        """Note a change; it is on record a moment later."""
        self._newest[event.index] = self._unwritten[event.index] = event
        if self._writing is None or self._writing.done():
            self._writing = asyncio.create_task(self._write_soon())

    async def close(self) -> None:
        """Put everything on record that is not yet."""
        if self._writing:
            await self._writing
        await self._write()

    async def _write_soon(self) -> None:
        # Steps change while those before are being written, too.
        while self._unwritten:
            await asyncio.sleep(GATHER_SECONDS)
            try:
                await self._write()
            except Exception:  # noqa: BLE001  # the next write has the same steps, or says why not
                return

    async def _write(self) -> None:
        events, self._unwritten = self._unwritten, {}
        if not events:
            return
        try:
            await transaction(lambda: self._save(list(events.values())))
        except BaseException:
            self._unwritten = events | self._unwritten
            raise
        self._notifier.publish("build", self._build.id)

    async def _save(self, events: list[StepChanged]) -> None:
        if not await self._build.hold():
            return  # the steps are those of another claim by now
        rows = [
            BuildStep(
                build_id=self._build.id,
                index=event.index,
                name=event.name,
                status=event.status,
                started_at=event.started_at,
                finished_at=event.finished_at,
                error=event.error,
            )
            for event in events
        ]
        await BuildStep.bulk_create(
            rows,
            on_conflict=("build_id", "index"),
            update_fields=("name", "status", "started_at", "finished_at", "error"),
        )
