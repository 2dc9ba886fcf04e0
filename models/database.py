"""Opening the database, bringing it up to date, and transactions that survive a cancel."""

import asyncio
import contextlib
import fcntl
from collections.abc import AsyncIterator, Awaitable, Callable
from pathlib import Path
from typing import Any, TypeVar

from tortoise.backends.base.config_generator import expand_db_url
from tortoise.backends.base.executor import EXECUTOR_CACHE
from tortoise.context import TortoiseContext
from tortoise.migrations.executor import MigrationExecutor, MigrationTarget
from tortoise.transactions import in_transaction

from models.postgres import patiently

T = TypeVar("T")

APP = "models"
# Any number that nothing else on the database server uses as an advisory lock.
MIGRATION_LOCK = 4_215_776_011


def config(url: str) -> dict[str, Any]:
    """Tortoise's configuration for a database address (`sqlite://…` or `postgres://…`)."""
    connection = expand_db_url(url)
    if is_sqlite(url):
        # WAL lets readers go on beside the writer; NORMAL is durable against a crash of the
        # process, and a lost last transaction at a power cut leaves a consistent database. Of the
        # pages, so many KiB are kept: the default of 2 MiB is less than a large list looks at.
        connection["credentials"] |= {
            "busy_timeout": 10_000,
            "synchronous": "NORMAL",
            "cache_size": -65_536,
        }
    else:
        connection["engine"] = "models.postgres"
    return {
        "connections": {"default": connection},
        "apps": {APP: {"models": ["models"], "migrations": "models.migrations"}},
    }


def is_sqlite(url: str) -> bool:
    """Whether the embedded database is meant."""
    return url.startswith("sqlite:")


@contextlib.asynccontextmanager
async def opened(url: str, *, everywhere: bool = False) -> AsyncIterator[TortoiseContext]:
    """The database, for this event loop, until the block ends.

    `everywhere` lets tasks that were not started within the block use it too, as the requests of
    a server are not; one database of a process can be opened so. An SQLite connection that is not
    closed hangs the exit of the process.
    """
    if is_sqlite(url):
        Path(url.removeprefix("sqlite://")).parent.mkdir(parents=True, exist_ok=True)
    # Tortoise remembers statements by table, whichever kind of database they were written for.
    EXECUTOR_CACHE.clear()
    async with TortoiseContext() as context:
        await context.init(config=config(url), _enable_global_fallback=everywhere)
        yield context


async def migrate(url: str) -> None:
    """Bring the database up to date; processes that start together do it once, one at a time."""
    async with opened(url) as context, _migration_lock(url, context):
        apps = config(url)["apps"]
        executor = MigrationExecutor(context.db(), apps)
        await executor.migrate([MigrationTarget(app_label=APP, name="__latest__")])


@contextlib.asynccontextmanager
async def _migration_lock(url: str, context: TortoiseContext) -> AsyncIterator[None]:
    if is_sqlite(url):
        path = url.removeprefix("sqlite://").split("?")[0] + ".migrating"
        with await asyncio.to_thread(open, path, "w") as lock:
            await asyncio.to_thread(fcntl.flock, lock, fcntl.LOCK_EX)
            yield
        return
    # The lock belongs to a session, so it needs a connection of its own that stays open.
    async with TortoiseContext() as holder:
        await holder.init(config=config(url))
        async with in_transaction("default") as connection:
            # It does nothing else for as long as the migrations take.
            await connection.execute_query("SET LOCAL idle_in_transaction_session_timeout = 0")
            await connection.execute_query(f"SELECT pg_advisory_xact_lock({MIGRATION_LOCK})")
            with context:
                yield


async def transaction(work: Callable[[], Awaitable[T]]) -> T:
    """Run `work` in one transaction, to its end even when the caller is cancelled.

    A cancel that arrives while a transaction is being entered would leak its connection, so the
    whole transaction runs in a task of its own, shielded.
    """

    async def run() -> T:
        async with in_transaction("default"):
            return await work()

    async def attempt() -> T:
        # In a context of its own: where the connection is lost, the transaction stays the current
        # one of its context, and the next would be a part of it.
        return await asyncio.create_task(run())

    return await asyncio.shield(asyncio.ensure_future(patiently(attempt)))


# For `tortoise makemigrations`, which compares the models with the migrations and no database.
EXAMPLE = config("sqlite://:memory:")
