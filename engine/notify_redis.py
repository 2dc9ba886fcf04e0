"""Notifications between processes, by Redis's publish and subscribe."""

import asyncio
import contextlib
from collections.abc import Sequence

from redis.asyncio import Redis
from redis.asyncio.client import PubSub

from engine.notify import Change
from engine.notify_shared import SharedNotifier, decoded, encoded

CHANNEL = "darkroom"
SECONDS = 10


class RedisNotifier(SharedNotifier):
    """Tells every process that listens at the same Redis.

    Arguments: the server's address, `redis://…` or `rediss://…`.
    """

    def __init__(self, url: str) -> None:
        super().__init__()
        self._url = url
        self._redis: Redis | None = None
        self._pubsub: PubSub | None = None
        self._hearing: asyncio.Task[None] | None = None

    async def connect(self) -> None:
        """Listen, over a new connection."""
        self._redis = Redis.from_url(
            self._url, socket_connect_timeout=SECONDS, socket_timeout=SECONDS
        )
        self._pubsub = self._redis.pubsub(ignore_subscribe_messages=True)
        await self._pubsub.subscribe(CHANNEL)
        self._hearing = asyncio.create_task(self._hear(self._pubsub))

    async def disconnect(self) -> None:
        """Let go of the connections, whatever state they are in."""
        if self._hearing:
            self._hearing.cancel()
            await asyncio.gather(self._hearing, return_exceptions=True)
        for client in (self._pubsub, self._redis):
            if client:
                with contextlib.suppress(Exception):
                    await client.aclose()
        self._hearing = self._pubsub = self._redis = None

    async def send(self, changes: Sequence[Change]) -> None:
        """Tell the others; it is with the server when this returns."""
        if self._redis is None:
            raise ConnectionError("not connected")
        await self._redis.publish(CHANNEL, encoded(changes))

    async def probe(self) -> None:
        """Find out whether the connections still carry anything."""
        if self._redis and self._pubsub:
            await self._redis.ping()
            await self._pubsub.ping()

    async def _hear(self, pubsub: PubSub) -> None:
        try:
            while True:
                message = await pubsub.get_message(timeout=SECONDS)
                if message and isinstance(message["data"], bytes):
                    self.tell(decoded(message["data"].decode()))
        except Exception:  # noqa: BLE001  # whatever it is, it is connected anew
            self.lost()
