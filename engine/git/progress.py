"""Git's progress, as lines fit for a log: each phase's start and end, and not more in between
than one for every ten per cent or two seconds."""

import re
import time
from collections.abc import Awaitable, Callable

Say = Callable[[str], Awaitable[None]]

_COUNTED = re.compile(r"(?:remote: )?(?P<phase>[A-Z][A-Za-z ]+):\s+(?P<percent>\d+)% \(.*")
_INTERVAL = 2.0
_STEP = 10


class Progress:
    """Called with each line of git's standard error; says those that are worth reading."""

    def __init__(self, say: Say, clock: Callable[[], float] = time.monotonic) -> None:
        self._say = say
        self._clock = clock
        self._phase = ""
        self._percent = 0
        self._said_at = 0.0

    async def __call__(self, line: str) -> None:
        """Pass on a line, or drop it."""
        match = _COUNTED.match(line)
        if match and self._due(match["phase"], int(match["percent"])):
            await self._say(_printable(line.removeprefix("remote: ")))

    def _due(self, phase: str, percent: int) -> bool:
        now = self._clock()
        begun = phase != self._phase
        ended = percent == 100 and self._percent < 100
        moved = percent >= self._percent + _STEP or (
            percent > self._percent and now >= self._said_at + _INTERVAL
        )
        if not (begun or ended or moved):
            return False
        self._phase, self._percent, self._said_at = phase, percent, now
        return True


def _printable(line: str) -> str:
    return "".join(ch for ch in line if ch.isprintable()).rstrip()
