"""One contract, every way in which processes tell each other."""

import asyncio
import time
from collections.abc import AsyncIterator

import pytest

from engine.notifiers import notifying
from engine.notify import Notifier, Subscription
from engine.notify_shared import decoded, encoded
from models import database
from tests.fixtures.brokers import BrokerServer
from tests.fixtures.database import Postgres

SOON = 2.0


@pytest.fixture(scope="session")
def database_url(postgres: Postgres) -> str:
    url = postgres.database()
    asyncio.run(database.migrate(url))
    return url


@pytest.fixture(params=["postgres", "redis"])
async def url(
    request: pytest.FixtureRequest, database_url: str, redis: BrokerServer
) -> AsyncIterator[str]:
    async with database.opened(database_url, everywhere=True):
        yield database_url if request.param == "postgres" else redis.url


@pytest.fixture
async def two(url: str) -> AsyncIterator[tuple[Notifier, Notifier]]:
    """Two processes' notifiers, once both hear."""
    async with notifying(url) as one, notifying(url) as other:
        await hears(one, other)
        await hears(other, one)
        yield one, other


async def hears(speaker: Notifier, listener: Notifier) -> None:
    with listener.subscribe("build", 4711) as news:
        async with asyncio.timeout(20):
            while not await news.wait(0.2):
                speaker.publish("build", 4711)


async def heard(news: Subscription, *ids: int) -> None:
    missing = set(ids)
    async with asyncio.timeout(SOON):
        while missing:
            missing -= set(await news.wait(SOON))


async def test_another_process_hears(two: tuple[Notifier, Notifier]) -> None:
    one, other = two
    with (
        other.subscribe("build", 1) as mine,
        other.subscribe("build", 2) as anothers,
        other.subscribe("image") as images,
    ):
        one.publish("build", 1)
        one.publish("image", 5)
        one.publish("image", 6)
        await heard(mine, 1)
        await heard(images, 5, 6)
        assert await anothers.wait(0.05) == []


async def test_ten_thousand_changes_arrive_though_one_message_is_short(
    two: tuple[Notifier, Notifier],
) -> None:
    one, other = two
    with other.subscribe("image") as images:
        for id_ in range(10_000):
            one.publish("image", 10**12 + id_)
        await heard(images, *(10**12 + id_ for id_ in range(10_000)))


async def test_what_was_said_last_is_heard(two: tuple[Notifier, Notifier], url: str) -> None:
    _, other = two
    with other.subscribe("build", 9) as news:
        async with notifying(url) as brief:
            await hears(other, brief)
            brief.publish("build", 9)
        await heard(news, 9)


async def test_a_lost_connection_comes_back_and_readers_look_for_themselves(
    two: tuple[Notifier, Notifier], url: str, redis: BrokerServer, postgres: Postgres
) -> None:
    one, other = two
    program = redis.program if url.startswith("redis") else postgres.program
    with other.subscribe("build", 3) as news:
        await asyncio.to_thread(program.stop)
        began = time.monotonic()
        one.publish("build", 3)
        assert time.monotonic() - began < 0.01  # publishing never waits
        await asyncio.to_thread(program.start)
        # Whatever was said meanwhile, the reader is woken and looks.
        assert await news.wait(10) == [3]
        await hears(one, other)


async def test_a_server_that_is_away_keeps_nobody() -> None:
    began = time.monotonic()
    async with notifying("redis://127.0.0.1:1/0") as alone:
        with alone.subscribe("build", 1) as news:
            alone.publish("build", 1)
            assert await news.wait(0) == [1]
    assert time.monotonic() - began < SOON


def test_messages_of_a_newer_version_are_passed_over() -> None:
    assert decoded("build:1 tag:2 image:x image:3 junk") == [("build", 1), ("image", 3)]
    assert decoded(encoded([("image", 7), ("build", 8)])) == [("image", 7), ("build", 8)]
