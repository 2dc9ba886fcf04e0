"""Reporting to the worker: by the Job's output, and by a connection where it asked for one."""

import contextlib
import os
import socket
import sys
from collections.abc import Iterable, Iterator
from pathlib import Path

from engine.clock import now
from engine.saving.events import (
    Change,
    Clean,
    Event,
    Failed,
    FilesChanged,
    Phase,
    PhaseChanged,
    Saved,
    encode,
)
from engine.saving.plan import REPORT
from models.enums import StepStatus

MOST_CHANGES = 100_000
"""Files that are named to the worker; beyond, they are counted."""
_AT_ONCE = 50  # changes in one line: longer lines are cut into pieces on their way
_LAST_WORDS = Path("/dev/termination-log")
"""What stands here becomes a part of the pod's status, which outlives every log: 4096 bytes."""
_SECONDS = 5.0
"""A worker that takes nothing for so long is gone, and must not hold up the container."""


class Report:
    """Writes lines."""

    def __init__(self) -> None:
        self._connection = _connect(os.environ.get(REPORT, ""))
        self._last_words: list[str] = []

    def say(self, text: str) -> None:
        """A line for people."""
        self._write(text)

    async def progress(self, text: str) -> None:
        """The same, for what calls back."""
        self._write(text)

    def tell(self, event: Event) -> None:
        """A line for the worker."""
        line = encode(event)
        self._write(line)
        if isinstance(event, Saved | Failed | Clean):
            self._last_words.append(line)
            with contextlib.suppress(OSError):
                _LAST_WORDS.write_text("\n".join(self._last_words))

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
        data = line.encode(errors="replace") + b"\n"
        sys.stdout.buffer.write(data)
        sys.stdout.buffer.flush()
        if self._connection:
            try:
                self._connection.sendall(data)
            except OSError:
                self._connection.close()
                self._connection = None


def _connect(address: str) -> socket.socket | None:
    """A connection to the worker, which has introduced itself."""
    place, _, token = address.partition(" ")
    host, _, port = place.rpartition(":")
    if not host:
        return None
    try:
        connection = socket.create_connection((host, int(port)), timeout=_SECONDS)
        connection.sendall(token.encode() + b"\n")
    except OSError:
        return None
    return connection
