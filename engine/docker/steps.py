"""The steps of one build, numbered as they appear."""

from dataclasses import replace
from datetime import datetime

from engine.clock import now
from engine.docker.events import StepChanged
from models.enums import StepStatus

_OPEN = frozenset({StepStatus.PENDING, StepStatus.RUNNING})


class Steps:
    """Remembers each step by the builder's own key for it, and reports what changed."""

    def __init__(self) -> None:
        self._by_key: dict[str, StepChanged] = {}

    def index(self, key: str) -> int | None:
        """The number of the step with `key`; None when there is no such step."""
        step = self._by_key.get(key)
        return step.index if step else None

    def update(
        self,
        key: str,
        name: str,
        status: StepStatus,
        started_at: datetime | None = None,
        finished_at: datetime | None = None,
        error: str | None = None,
    ) -> list[StepChanged]:
        """Note how a step stands; the list is empty when that is known already."""
        known = self._by_key.get(key)
        index = known.index if known else len(self._by_key) + 1
        if known and known.started_at:
            # BuildKit runs some steps of its own twice; to people that is one step.
            started_at = known.started_at
        step = StepChanged(index, name, status, started_at, finished_at, error)
        if step == known:
            return []
        self._by_key[key] = step
        return [step]

    def finish(self, key: str, status: StepStatus, error: str | None = None) -> list[StepChanged]:
        """End a step now, unless it ended before."""
        step = self._by_key[key]
        if step.status not in _OPEN:
            return []
        self._by_key[key] = replace(step, status=status, finished_at=now(), error=error)
        return [self._by_key[key]]

    @property
    def all_over(self) -> bool:
        """Whether every step has ended."""
        return all(step.status not in _OPEN for step in self._by_key.values())

    def cancel_rest(self) -> list[StepChanged]:
        """End what has not ended: the build is over, and these steps will not run."""
        return [change for key in self._by_key for change in self.finish(key, StepStatus.CANCELED)]

    def failed(self, reason: str) -> StepChanged | None:
        """The step that failed: the one whose error is `reason` where several did."""
        failed = [step for step in self._by_key.values() if step.status is StepStatus.FAILED]
        named = (step for step in failed if step.error and step.error in reason)
        return next(named, failed[0] if failed else None)
