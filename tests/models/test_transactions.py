"""Transactions that a database which goes away interrupts."""

import asyncio
import time

import pytest
from tortoise.backends.asyncpg.client import TransactionWrapper

from models import Duty, database
from models import postgres as client
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


async def test_one_that_stands_still_holds_nobody_up(
    postgres: Postgres, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(client, "STANDSTILL", 1)
    locked, woken = asyncio.Event(), asyncio.Event()
    tries = 0

    async def stand_still() -> None:
        nonlocal tries
        tries += 1
        await Duty.lock("claims")
        locked.set()
        await woken.wait()

    url = postgres.database()
    await database.migrate(url)
    async with database.opened(url, everywhere=True):
        with patience(5):
            standing = asyncio.create_task(database.transaction(stand_still))
        await locked.wait()
        async with asyncio.timeout(10):
            await database.transaction(lambda: Duty.lock("claims"))
        woken.set()
        await standing
    assert tries == 2


async def test_one_whose_process_stood_still_is_begun_anew(
    postgres: Postgres, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(client, "STANDSTILL", 1)
    tries = 0

    async def stand_still() -> None:
        nonlocal tries
        tries += 1
        await Duty.lock("claims")
        if tries == 1:
            time.sleep(2)  # noqa: ASYNC251  # nothing of this process runs, as with SIGSTOP
        await Duty.lock("claims")

    url = postgres.database()
    await database.migrate(url)
    async with database.opened(url, everywhere=True):
        with patience(5):
            await database.transaction(stand_still)
    assert tries == 2
