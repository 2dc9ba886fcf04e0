"""The first tags of a new installation."""

import asyncio

from engine import tags
from models import Tag, TagCategory, database
from tests.fixtures.database import Postgres


async def test_those_who_start_together_seed_once(postgres: Postgres) -> None:
    url = await asyncio.to_thread(postgres.database)
    await database.migrate(url)
    async with database.opened(url):
        await asyncio.gather(*(tags.seed() for _ in range(5)))
        assert await TagCategory.all().count() == len(tags.FIRST)
        assert await Tag.all().count() == sum(map(len, tags.FIRST.values()))


async def test_an_installation_that_has_tags_keeps_its_own(postgres: Postgres) -> None:
    url = await asyncio.to_thread(postgres.database)
    await database.migrate(url)
    async with database.opened(url):
        await TagCategory.create(name="team", title="Team")
        await tags.seed()
        assert [row.name for row in await TagCategory.all()] == ["team"]
