"""Whom the registry's own lists and images are shown to: the policy of what may be read."""

from collections.abc import AsyncIterator
from pathlib import Path
from uuid import uuid4

import aiohttp
import pytest

from tests.fixtures.images import push_image, tiny_image
from tests.fixtures.registry import RegistryServer
from tests.fixtures.service import JSON, Client
from tests.service.inside import Inside, inside
from tests.service.tokens import ADMIN, bearer

# In the registry of all tests, so that nobody else's repositories are in the way.
MARK = f"reading-{uuid4().hex[:12]}"
HELD = (f"{MARK}/public", f"mina/{MARK}", f"vision/{MARK}", f"others/{MARK}")
REPOSITORIES = """query($search: String!, $after: String) {
  registryRepositories(search: $search, first: 1, after: $after) { names endCursor } }"""
TAGS = "query($repository: String!) { registryTags(repository: $repository) { names } }"


@pytest.fixture
async def server(
    docker_engine: str, registry: RegistryServer, tmp_path: Path
) -> AsyncIterator[Inside]:
    async with registry.client() as client:
        for repository in HELD:
            await push_image(client, repository, "1", tiny_image())
    policy = (f"{MARK}/**", "{user}/**", "{group}/*")
    given = {"registry": registry.host, "engine_url": docker_engine, "read_policy": policy}
    async with inside(tmp_path, **given) as running:
        yield running


async def names(client: Client) -> list[str]:
    """All repositories that are listed, page by page; no cursor tells of what is not."""
    found: list[str] = []
    after = None
    while True:
        page: JSON = await client.ask(REPOSITORIES, search=MARK, after=after)
        found += page["names"]
        after = page["endCursor"]
        if after is None:
            return found
        assert after.startswith("~") or after in found


async def test_users_see_what_the_policy_lets_them_read(server: Inside) -> None:
    async with aiohttp.ClientSession() as session:
        user = Client(session, server.url, bearer("mina", groups=["vision"]))
        assert await names(user) == [f"mina/{MARK}", HELD[0], f"vision/{MARK}"]
        for repository in HELD[:3]:
            assert (await user.ask(TAGS, repository=repository))["names"] == ["1"]
            created = await user.create("Existing", name=f"/{repository}:1")
            assert created["__typename"] == "CreateImagePayload", created


async def test_the_rest_is_refused_whether_it_is_there_or_not(server: Inside) -> None:
    async with aiohttp.ClientSession() as session:
        user = Client(session, server.url, bearer("mina"))
        assert await names(user) == [f"mina/{MARK}", HELD[0]]
        for repository in (f"others/{MARK}", f"vision/{MARK}", "others/none"):
            refused = await user.create("Existing", name=f"/{repository}:1")
            assert refused["__typename"] == "ForbiddenError"
            assert repository in refused["message"]
            assert "`/mina/**`" in refused["message"]
            answer = await user.execute(TAGS, repository=repository)
            assert answer["data"] is None
            assert "You may not read" in answer["errors"][0]["message"]


async def test_what_may_not_be_read_is_no_base_image(
    server: Inside, registry: RegistryServer
) -> None:
    async def built(groups: list[str], repository: str) -> JSON:
        user = Client(session, server.url, bearer("mina", groups=groups))
        created = await user.create(
            "Dockerfile",
            name=f"/built/{uuid4().hex}:1",
            dockerfile=f"FROM {registry.host}/{repository}:1\nLABEL a={MARK}\n",
        )
        return await user.finished(created)

    async with aiohttp.ClientSession() as session:
        for groups, repository in (([], f"mina/{MARK}"), (["vision"], f"vision/{MARK}")):
            assert (await built(groups, repository))["status"] == "SUCCEEDED"
        refused = (await built([], f"vision/{MARK}"))["failure"]
        assert refused["code"] == "BASE_DENIED"
        assert f"/vision/{MARK}" in refused["message"]
        assert "`/mina/**`" in refused["message"]


async def test_administrators_read_everything(server: Inside) -> None:
    async with aiohttp.ClientSession() as session:
        admin = Client(session, server.url, bearer("root", **ADMIN))
        assert sorted(await names(admin)) == sorted(HELD)
        created = await admin.create("Existing", name=f"/others/{MARK}:1")
        assert created["__typename"] == "CreateImagePayload"
