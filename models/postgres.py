"""PostgreSQL as Tortoise speaks to it, for work that outlives a restart of the database.

Tortoise loads this module by its name and takes `client_class` from it.
"""

import asyncio
import contextlib
import contextvars
import time
from collections.abc import Awaitable, Callable, Iterator
from typing import Any, TypeVar

import asyncpg  # type: ignore[import-untyped]  # it ships no types
from tortoise.backends.asyncpg.client import AsyncpgDBClient
from tortoise.exceptions import DBConnectionError

from models.troubles import TOLD

T = TypeVar("T")

# The database went away, or is on its way back; the statement itself was not at fault.
AWAY = (
    OSError,
    asyncpg.InterfaceError,
    # A connection that has read why the database ends it, and not yet that it did.
    asyncpg.InternalClientError,
    *TOLD,
)
# A process that stands still, or a machine that is gone, within a transaction would keep its locks
# from everybody else: after so many seconds the database ends the connection.
STANDSTILL = 10
# Reading twice does no harm, so every reader waits for a database that restarts; in seconds.
_READ_PATIENCE = 5.0
_FIRST_PAUSE, _LONGEST_PAUSE = 0.1, 1.0
_patience: contextvars.ContextVar[float] = contextvars.ContextVar("patience", default=0)


@contextlib.contextmanager
def patience(seconds: float) -> Iterator[None]:
    """Let statements of this task, and of those it starts, wait so long for a lost database.

    A statement whose answer was lost is sent again, so it must be one that may be repeated.
    """
    token = _patience.set(seconds)
    try:
        yield
    finally:
        _patience.reset(token)


async def patiently(work: Callable[[], Awaitable[T]], least: float = 0) -> T:
    """Do `work`, again and again while the database is away and patience lasts.

    Raises DBConnectionError, with what the driver raised, when it lasts no longer.
    """
    deadline = time.monotonic() + max(_patience.get(), least)
    pause = _FIRST_PAUSE
    while True:
        try:
            return await work()
        except AWAY as error:
            if time.monotonic() + pause > deadline:
                raise DBConnectionError(error) from error
        await asyncio.sleep(pause)
        pause = min(2 * pause, _LONGEST_PAUSE)


def _least(query: str) -> float:
    return _READ_PATIENCE if query.startswith("SELECT") else 0


async def _nothing(_connection: asyncpg.Connection) -> None:
    """All that there is to reset."""


class PatientClient(AsyncpgDBClient):
    """Statements outside of transactions; `models.database.transaction` repeats whole ones."""

    async def create_pool(self, **options: Any) -> asyncpg.Pool:
        """Connections that nothing is left behind on: no statement here changes a session.

        By default, each use of a connection ends with a statement that resets the session, which
        doubles the way to the database and back. What was not committed is rolled back still.
        """
        options["server_settings"] = options.get("server_settings", {}) | {
            "idle_in_transaction_session_timeout": f"{STANDSTILL}s"
        }
        return await super().create_pool(reset=_nothing, **options)

    async def execute_query(
        self, query: str, values: list[Any] | None = None
    ) -> tuple[int, list[dict[str, Any]]]:
        """Run a statement."""
        return await patiently(
            lambda: super(PatientClient, self).execute_query(query, values), _least(query)
        )

    async def execute_query_dict(
        self, query: str, values: list[Any] | None = None
    ) -> list[dict[str, Any]]:
        """Run a query."""
        return await patiently(
            lambda: super(PatientClient, self).execute_query_dict(query, values), _least(query)
        )


client_class = PatientClient
