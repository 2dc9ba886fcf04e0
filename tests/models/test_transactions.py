"""Transactions that a database which goes away interrupts."""

import pytest
from tortoise.backends.asyncpg.client import TransactionWrapper

from models import Duty, database
from models.postgres import patience
from tests.fixtures.database import Postgres


async def test_one_whose_connection_was_lost_at_its_beginning_is_begun_anew(
    postgres: Postgres, monkeypatch: pytest.MonkeyPatch
) -> None:
    begin = TransactionWrapper.begin
    begun: list[TransactionWrapper] = []

    # A connection that is lost within these microseconds: no server does that when it is told.
    async def lost_at_first(self: TransactionWrapper) -> None:
        begun.append(self)
        if len(begun) == 1:
            self._connection.terminate()
        await begin(self)

    url = postgres.database()
    await database.migrate(url)
    async with database.opened(url, everywhere=True):
        monkeypatch.setattr(TransactionWrapper, "begin", lost_at_first)
        with patience(2):
            await database.transaction(lambda: Duty.lock("claims"))
        assert await Duty.filter(name="claims").exists()
    assert len(begun) == 2
