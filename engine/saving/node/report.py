"""Reporting to the worker, by way of the Job's output."""

import contextlib
import sys
from collections.abc import Iterable, Iterator

from engine.clock import now
from engine.saving.events import Change, Event, FilesChanged, Phase, PhaseChanged, encode
from models.enums import StepStatus

MOST_CHANGES = 100_000
"""Files that are named to the worker; beyond, they are counted."""
_AT_ONCE = 50  # changes in one line: longer lines are cut into pieces on their way


class Report:
    """Writes lines to standard output."""

    def say(self, text: str) -> None:
        """A line for people."""
        self._write(text)

    async def progress(self, text: str) -> None:
        """The same, for what calls back."""
        self._write(text)

    def tell(self, event: Event) -> None:
        """A line for the worker."""
        self._write(encode(event))

    @contextlib.contextmanager
    def phase(self, phase: Phase) -> Iterator[None]:
        """Report that a phase runs, and how it ends."""
        self.tell(PhaseChanged(phase, StepStatus.RUNNING, now()))
        try:
            yield
        except Exception as error:
            message = getattr(error, "message", "") or type(error).__name__
            self.tell(PhaseChanged(phase, StepStatus.FAILED, now(), message))
            raise
        except BaseException:
            self.tell(PhaseChanged(phase, StepStatus.CANCELED, now()))
            raise
        self.tell(PhaseChanged(phase, StepStatus.DONE, now()))

    def changes(self, changes: Iterable[Change]) -> None:
        """Name the files that changed, as far as there is room."""
        batch: list[Change] = []
        for number, change in enumerate(changes):
            if number == MOST_CHANGES:
                break
            batch.append(change)
            if len(batch) == _AT_ONCE:
                self.tell(FilesChanged(tuple(batch)))
                batch = []
        if batch:
            self.tell(FilesChanged(tuple(batch)))

    def _write(self, line: str) -> None:
        # Names of files need not be UTF-8.
        sys.stdout.buffer.write(line.encode(errors="replace") + b"\n")
        sys.stdout.buffer.flush()
