"""Several servers on one PostgreSQL: what one has answered to, the next list of another holds."""

import random
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack
from pathlib import Path

import pytest

from models import Image
from models.enums import Visibility
from schema import ids
from tests.fixtures.database import Postgres
from tests.fixtures.service import Client, client_of
from tests.rows import image, save
from tests.service.inside import inside
from tests.service.places import until
from tests.service.quiet import opened, quiet_server
from tests.service.test_list import IMAGES, counts, edit
from tests.service.tokens import SECRET, bearer

DELETE = "mutation($id: ID!) { deleteImage(id: $id) { __typename } }"
TAGS = ["task/nlp", "task/data", "framework/jax"]


@pytest.fixture
async def owners(postgres: Postgres, tmp_path: Path) -> AsyncIterator[list[Client]]:
    """Clients of two servers, of the user who has the images."""
    settings = {"DATABASE_URL": postgres.database(), "AUTH": "jwt", "JWT_SECRET": SECRET}
    async with AsyncExitStack() as stack:
        servers = [
            stack.enter_context(quiet_server(tmp_path / name, **settings)) for name in ("a", "b")
        ]
        await stack.enter_async_context(opened(servers[0]))
        yield [
            await stack.enter_async_context(client_of(server.url, **bearer("mina")))
            for server in servers
        ]


async def test_a_change_by_one_server_is_counted_by_the_other_at_once(
    owners: list[Client],
) -> None:
    chance = random.Random(2)  # noqa: S311  # a test's data
    rows = [await save(image(visibility=Visibility.PRIVATE)) for _ in range(5)]
    states = {row.id: ("PRIVATE", frozenset[str]()) for row in rows}
    for one, other in [owners, owners[::-1]] * 10:
        row = chance.choice(rows)
        states[row.id] = (
            chance.choice(list(Visibility)).value,
            frozenset(chance.sample(TAGS, chance.randrange(4))),
        )
        visibility, tags = states[row.id]
        changed = await edit(one, row, visibility=visibility, tags=sorted(tags))
        assert changed["__typename"] == "UpdateImagePayload"

        page = await other.ask(IMAGES, first=20, filter={"visibility": "PUBLIC"})
        public = [tags for visibility, tags in states.values() if visibility == "PUBLIC"]
        assert page["totalCount"] == len(page["nodes"]) == len(public)
        assert counts(page) == {
            tag: count for tag in TAGS if (count := sum(tag in tags for tags in public))
        }
    await one.ask(DELETE, id=ids.encode("Image", row.id))
    assert (await other.ask(IMAGES, first=20))["totalCount"] == len(rows) - 1


async def test_what_lists_are_found_by_is_read_before_anybody_asks(tmp_path: Path) -> None:
    async with inside(tmp_path):
        await save(image())
    async with inside(tmp_path) as started:

        async def read() -> bool:
            images = started.services.index._images
            return images is not None and len(images.all) == await Image.all().count() == 1

        await until(read)
