"""What every notifier between processes has in common: it never makes anybody wait.

Changes are told within the process at once. For the others they are gathered, each once, and one
task sends them; it also connects again whenever the connection was lost. What was told meanwhile
is lost; so then every reader of one row looks for itself, and images that changed are looked up.
"""

import asyncio
import contextlib
import logging
from collections.abc import AsyncIterator, Iterable, Sequence
from datetime import timedelta
from typing import Self, cast

from engine.clock import now
from engine.errors import Unavailable
from engine.notify import Change, Channel, InProcessNotifier
from models import Image

log = logging.getLogger(__name__)

FIRST_PAUSE, LONGEST_PAUSE = 0.1, 5.0  # between tries to connect, in seconds
MOST_MISSED = 10_000  # changed images that are looked up after a loss
PROBE_SECONDS = 10.0  # a silent connection is asked this often whether it is still there


def encoded(changes: Iterable[Change]) -> str:
    """Changes as one short text: `build:1 image:2`."""
    return " ".join(f"{channel}:{id_}" for channel, id_ in changes)


def decoded(text: str) -> list[Change]:
    """The changes of a text; what a newer version may say besides is passed over."""
    changes = []
    for word in text.split():
        channel, _, id_ = word.partition(":")
        if channel in ("build", "image") and id_.isdecimal():
            changes.append((cast(Channel, channel), int(id_)))
    return changes


class SharedNotifier(InProcessNotifier):
    """Tells its own process and, through a server in between, all others."""

    most_changes = 1000  # that one message holds

    def __init__(self) -> None:
        super().__init__()
        self._unsent: dict[Change, None] = {}
        self._news = asyncio.Event()
        self._all_sent = asyncio.Event()
        self._all_sent.set()
        self._is_lost = False
        self._is_connected = False
        self._heard_until = now()  # before this, nothing was missed

    async def connect(self) -> None:
        """Listen, over a new connection."""
        raise NotImplementedError

    async def disconnect(self) -> None:
        """Let go of the connection, whatever state it is in."""
        raise NotImplementedError

    async def send(self, changes: Sequence[Change]) -> None:
        """Tell the others."""
        raise NotImplementedError

    async def probe(self) -> None:
        """Raise when the connection does not carry anything any more."""
        raise NotImplementedError

    @contextlib.asynccontextmanager
    async def opened(self) -> AsyncIterator[Self]:
        """Tell and hear until the block ends. A server that is away delays nobody."""
        carrying = asyncio.create_task(self._carry_forever())
        try:
            yield self
            with contextlib.suppress(TimeoutError):  # what was just said should still be heard
                async with asyncio.timeout(1):
                    await self._all_sent.wait()
        finally:
            carrying.cancel()
            await asyncio.gather(carrying, return_exceptions=True)

    def publish(self, channel: Channel, id_: int) -> None:
        """Say that the row `id_` changed, here and elsewhere."""
        super().publish(channel, id_)
        self._unsent[channel, id_] = None
        self._all_sent.clear()
        self._news.set()

    async def ping(self) -> None:
        """Return when the others are heard. Raises Unavailable."""
        if not self._is_connected:
            raise Unavailable("Notifications are late: there is no connection to their server.")

    def tell(self, changes: Iterable[Change]) -> None:
        """Pass on what another process said."""
        for channel, id_ in changes:
            super().publish(channel, id_)

    def lost(self) -> None:
        """The connection ended."""
        self._is_lost = True
        self._news.set()

    async def _carry_forever(self) -> None:
        pause = FIRST_PAUSE
        while True:
            try:
                await self.connect()
                self._is_lost, self._is_connected = False, True
                pause = FIRST_PAUSE
                await self._catch_up()
                await self._carry()
            except Exception as error:  # noqa: BLE001  # whatever it is, it is tried again
                log.warning("notifications are late: %s; connecting again", type(error).__name__)
            finally:
                self._is_connected = False
                await self.disconnect()
            self._is_lost = True
            await asyncio.sleep(pause)
            pause = min(2 * pause, LONGEST_PAUSE)

    async def _carry(self) -> None:
        while not self._is_lost:
            with contextlib.suppress(TimeoutError):
                async with asyncio.timeout(PROBE_SECONDS):
                    await self._news.wait()
            self._news.clear()
            moment = now()
            if not self._unsent:
                await self.probe()
            while self._unsent and not self._is_lost:
                changes = list(self._unsent)[: self.most_changes]
                for change in changes:
                    del self._unsent[change]
                try:
                    await self.send(changes)
                except Exception:
                    self._unsent |= dict.fromkeys(changes)
                    raise
            self._heard_until = moment
            self._all_sent.set()
        raise ConnectionError("the connection ended")

    async def _catch_up(self) -> None:
        self.wake_all()
        # Clocks differ, and a change is told a moment after it is dated.
        since = self._heard_until - timedelta(seconds=PROBE_SECONDS)
        changed = Image.filter(updated_at__gte=since).order_by("-updated_at").limit(MOST_MISSED)
        for id_ in await changed.values_list("id", flat=True):
            super().publish("image", int(id_))  # type: ignore[call-overload]  # not typed
        self._heard_until = now()
