"""Streams over HTTP, bounded by their user's token."""

import asyncio
from collections.abc import AsyncGenerator, AsyncIterator, Callable

from server.authentication import Identity
from server.presence import Presence

Stream = Callable[[], AsyncIterator[str]]


def until_expired(stream: Stream, identity: Identity, presence: Presence) -> Stream:
    """The same stream, which ends when the identity expires and counts as long as it lasts."""

    async def bounded() -> AsyncIterator[str]:
        parts = stream()
        with presence.streaming(identity.viewer.name):
            try:
                while True:
                    try:
                        part = await asyncio.wait_for(anext(parts), identity.seconds_left)
                    except (StopAsyncIteration, TimeoutError):
                        return
                    yield part
            finally:
                if isinstance(parts, AsyncGenerator):
                    await parts.aclose()

    return bounded
