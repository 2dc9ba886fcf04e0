"""A saving Job's report, put into the build's log and steps as it comes."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from datetime import datetime

from engine import builds
from engine.build_steps import StepRecorder
from engine.clock import now
from engine.docker.events import StepChanged
from engine.job import Job
from engine.logs.writer import ClaimLost
from engine.saving.events import (
    Change,
    Clean,
    Event,
    Failed,
    FilesChanged,
    Made,
    Phase,
    PhaseChanged,
    Saved,
)
from models.enums import BuildStatus, StepStatus


@dataclass(slots=True)
class Progress:
    """How far one try has come, and what was heard of the node."""

    job: Job
    replaced: str | None
    """What the image's tag points to before the push."""
    saved: Saved | None = None
    failed: Failed | None = None
    phase: Phase | None = None
    """The one that runs, or that ran last."""
    changes: list[Change] = field(default_factory=list)
    _steps: StepRecorder = field(init=False)
    _indexes: dict[Phase, int] = field(default_factory=dict)
    _started: dict[Phase, datetime] = field(default_factory=dict)

    def __post_init__(self) -> None:
        self._steps = StepRecorder(self.job.build, self.job.services.notifier)

    async def close(self) -> None:
        """Put on record what is not yet."""
        await self._steps.close()

    @asynccontextmanager
    async def during(self, phase: Phase) -> AsyncIterator[None]:
        """A phase that happens here, not on the node."""
        await self.on_event(PhaseChanged(phase, StepStatus.RUNNING, now()))
        try:
            yield
        except Exception as error:
            message = getattr(error, "message", "") or type(error).__name__
            await self.on_event(PhaseChanged(phase, StepStatus.FAILED, now(), message))
            raise
        await self.on_event(PhaseChanged(phase, StepStatus.DONE, now()))

    async def on_event(self, event: Event | str) -> None:
        """Take an event or a line into account."""
        match event:
            case str():
                await self.job.log.say(event, self.step)
            case PhaseChanged():
                await self._phase_changed(event)
            case FilesChanged(changes):
                self.changes += changes
            case Made(image_id):
                await self.job.begin_to_push(image_id, self.replaced)
            case Saved(digest=digest):
                self.saved, self.failed = event, None
                if self.job.pushing:
                    self.job.pushing.digest = digest
            case Failed():
                self.failed = event
            case Clean():
                pass

    @property
    def step(self) -> int | None:
        """The index of the step that runs."""
        return self._indexes.get(self.phase) if self.phase else None

    async def _phase_changed(self, event: PhaseChanged) -> None:
        phase = event.phase
        index = self._indexes.setdefault(phase, len(self._indexes) + 1)
        if event.status is StepStatus.RUNNING:
            self.phase, self._started[phase] = phase, event.time
            await self.job.log.say(phase, index)
            if phase is Phase.PUSH:
                await self._advance(BuildStatus.PUSHING)
        over = event.status is not StepStatus.RUNNING
        self._steps.change(
            StepChanged(
                index=index,
                name=phase,
                status=event.status,
                started_at=self._started.get(phase),
                finished_at=event.time if over else None,
                error=event.error,
            )
        )

    async def _advance(self, to: BuildStatus) -> None:
        if not await asyncio.shield(builds.advance(self.job.services, self.job.build, to)):
            raise ClaimLost
