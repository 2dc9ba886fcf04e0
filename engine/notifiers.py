"""The notifier that a setting names."""

import contextlib
from collections.abc import AsyncIterator

from engine.notify import InProcessNotifier, Notifier


@contextlib.asynccontextmanager
async def notifying(url: str) -> AsyncIterator[Notifier]:
    """Tell and hear by `memory:`, `postgres://…` or `redis://…` until the block ends."""
    if url.startswith("memory:"):
        yield InProcessNotifier()
        return
    if url.startswith(("redis:", "rediss:")):
        from engine.notify_redis import RedisNotifier

        async with RedisNotifier(url).opened() as by_redis:
            yield by_redis
        return
    from engine.notify_postgres import PostgresNotifier

    async with PostgresNotifier(url).opened() as by_postgres:
        yield by_postgres
