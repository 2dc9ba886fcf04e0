"""Telling readers that there is more to read.

A notification says only what changed, never how: whoever hears it reads the database. So a
notification that is lost costs time, and one too many costs nothing.
"""

import asyncio
import contextlib
from collections import defaultdict
from collections.abc import Iterator
from typing import Literal, Protocol

from engine import metrics

Channel = Literal["build", "image"]
Change = tuple[Channel, int]  # that the row of this id changed

# A reader looks again after this many seconds even when nobody calls, should a call be lost.
PATIENCE = 5.0


class Subscription:
    """What changed since it was last asked, each id once however often it changed."""

    def __init__(self) -> None:
        self._changed: dict[int, None] = {}
        self._news = asyncio.Event()

    def add(self, id_: int) -> None:
        """Note that the row `id_` changed."""
        self._changed[id_] = None
        self._news.set()

    async def wait(self, seconds: float = PATIENCE) -> list[int]:
        """Ids that changed, in order; empty when nothing did within `seconds`."""
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(seconds):
                await self._news.wait()
        self._news.clear()
        changed = list(self._changed)
        self._changed.clear()
        return changed


class Notifier(Protocol):
    """How processes tell each other."""

    def publish(self, channel: Channel, id_: int) -> None:
        """Say that the row `id_` changed. Never waits and never fails."""

    def subscribe(
        self, channel: Channel, id_: int | None = None
    ) -> contextlib.AbstractContextManager[Subscription]:
        """Hear of one row, or of every row of the channel, until the block ends."""

    async def ping(self) -> None:
        """Return when other processes are heard. Raises Unavailable."""


class InProcessNotifier:
    """For a server that builds by itself: readers and builders share one event loop."""

    def __init__(self) -> None:
        self._subscriptions: defaultdict[tuple[Channel, int | None], set[Subscription]] = (
            defaultdict(set)
        )

    def publish(self, channel: Channel, id_: int) -> None:
        """Say that the row `id_` changed."""
        for key in ((channel, id_), (channel, None)):
            for subscription in self._subscriptions.get(key, ()):
                subscription.add(id_)

    async def ping(self) -> None:
        """There is nobody else to be heard."""

    def wake_all(self) -> None:
        """Let every reader of one row look for itself: something may have been missed."""
        for (_, id_), subscriptions in self._subscriptions.items():
            if id_ is not None:
                for subscription in subscriptions:
                    subscription.add(id_)

    @contextlib.contextmanager
    def subscribe(self, channel: Channel, id_: int | None = None) -> Iterator[Subscription]:
        """Hear of one row, or of every row of the channel, until the block ends."""
        key, subscription = (channel, id_), Subscription()
        self._subscriptions[key].add(subscription)
        metrics.subscribers.labels(channel).inc()
        try:
            yield subscription
        finally:
            metrics.subscribers.labels(channel).dec()
            self._subscriptions[key].discard(subscription)
            if not self._subscriptions[key]:
                del self._subscriptions[key]
