"""Notifications between processes, by PostgreSQL's LISTEN and NOTIFY over one connection."""

from collections.abc import Sequence
from typing import Any

import asyncpg  # type: ignore[import-untyped]  # it ships no types
from tortoise.backends.base.config_generator import expand_db_url

from engine.notify import Change
from engine.notify_shared import SharedNotifier, decoded, encoded

CHANNEL = "darkroom"
# PostgreSQL takes payloads of less than 8000 bytes; a change takes at most 26.
MOST_CHANGES = 300
SECONDS = 10


class PostgresNotifier(SharedNotifier):
    """Tells every process that listens at the same database.

    Arguments: the database's address. Where a pooler hands out connections by transaction, it
    has to be the server's own address: LISTEN belongs to a session.
    """

    most_changes = MOST_CHANGES

    def __init__(self, url: str) -> None:
        super().__init__()
        self._options = _options(url)
        self._connection: asyncpg.Connection | None = None

    async def connect(self) -> None:
        """Listen, over a new connection."""
        connection = await asyncpg.connect(
            **self._options, timeout=SECONDS, command_timeout=SECONDS
        )
        connection.add_termination_listener(self._ended)
        await connection.add_listener(CHANNEL, self._hear)
        self._connection = connection

    async def disconnect(self) -> None:
        """Let go of the connection, whatever state it is in."""
        connection, self._connection = self._connection, None
        if connection:
            connection.terminate()

    async def send(self, changes: Sequence[Change]) -> None:
        """Tell the others; it is with the server when this returns."""
        if self._connection is None:
            raise ConnectionError("not connected")
        await self._connection.execute("SELECT pg_notify($1, $2)", CHANNEL, encoded(changes))

    async def probe(self) -> None:
        """Find out whether the connection still carries anything."""
        if self._connection:
            await self._connection.execute("SELECT 1")

    def _ended(self, connection: object) -> None:
        if connection is self._connection:
            self.lost()

    def _hear(self, _connection: object, _pid: int, _channel: str, payload: object) -> None:
        self.tell(decoded(str(payload)))


def _options(url: str) -> dict[str, Any]:
    """What asyncpg needs of a database address; the rest of it is the ORM's."""
    credentials = expand_db_url(url)["credentials"]
    names = ("host", "port", "user", "password", "database", "ssl")
    return {name: credentials[name] for name in names if credentials.get(name) is not None}
