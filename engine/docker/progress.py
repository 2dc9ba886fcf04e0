"""Transfers as occasional readable lines instead of hundreds of counters a second."""

import time
from collections.abc import Callable

from engine.docker.stream import Message

EVERY_SECONDS = 2.0
_UNITS = ("B", "kB", "MB", "GB", "TB")


class Throttle:
    """Says yes at most once in `seconds`, and not before they have passed a first time."""

    def __init__(
        self, seconds: float = EVERY_SECONDS, clock: Callable[[], float] = time.monotonic
    ) -> None:
        self._seconds = seconds
        self._clock = clock
        self._next = clock() + seconds

    def __call__(self) -> bool:
        """Whether it is time again."""
        if self._clock() < self._next:
            return False
        self._next = self._clock() + self._seconds
        return True


class Transfer:
    """The engine's report on a pull or a push, layer by layer, as lines about the whole."""

    def __init__(self, throttle: Throttle | None = None) -> None:
        self._layers: dict[str, tuple[int, int]] = {}
        self._doing = ""
        self._due = throttle or Throttle()

    def line(self, message: Message) -> str | None:
        """What to tell people now, if anything."""
        status = str(message.get("status", "")).strip()
        if not status:
            return None
        layer, detail = message.get("id"), message.get("progressDetail") or {}
        if not layer or status.startswith("Pulling from"):
            return status
        if detail.get("total"):
            self._doing = status
            self._layers[layer] = (int(detail.get("current", 0)), int(detail["total"]))
        return self._sum() if self._layers and self._due() else None

    def _sum(self) -> str:
        current = sum(min(current, total) for current, total in self._layers.values())
        total = sum(total for _, total in self._layers.values())
        layers = f"{len(self._layers)} layer" + ("s" if len(self._layers) > 1 else "")
        return f"{self._doing}: {amount(current)} of {amount(total)} in {layers}"


def amount(size: int) -> str:
    """A number of bytes for people: `45.6 MB`."""
    value, unit = float(size), 0
    while value >= 1000 and unit < len(_UNITS) - 1:
        value, unit = value / 1000, unit + 1
    return f"{value:.1f} {_UNITS[unit]}" if unit else f"{size} B"
