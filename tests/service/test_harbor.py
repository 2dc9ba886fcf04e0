"""What the registry holds, listed by Harbor's own API."""

from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from engine.registry import Credentials
from tests.fixtures.service import Client, client_of
from tests.servers.answering import serving
from tests.servers.harbor import Harbor
from tests.service.inside import inside
from tests.service.tokens import bearer

ROBOT = Credentials("robot$darkroom", "robot-Pa55word")
HELD = {
    "library/python": [["3.12", "3", "latest"], [], ["3.11"], ["3.10"]],
    "vision/detect/small": [["2"], ["1"]],
    "vision/detect": [["1"]],
    "secret/detect": [["1"]],
}
REPOSITORIES = """query($search: String, $after: String) {
  registryRepositories(search: $search, first: 2, after: $after) { names endCursor } }"""
TAGS = """query($repository: String!, $after: String) {
  registryTags(repository: $repository, first: 2, after: $after) { names endCursor } }"""


@pytest.fixture
def harbor() -> Harbor:
    return Harbor(ROBOT, HELD, hidden="secret/")


@pytest.fixture(params=["robot", "nobody"])
def account(request: pytest.FixtureRequest) -> dict[str, str]:
    if request.param == "nobody":
        return {}
    return {"registry_username": ROBOT.username, "registry_password": ROBOT.password}


@pytest.fixture
async def client(harbor: Harbor, account: dict[str, str], tmp_path: Path) -> AsyncIterator[Client]:
    async with (
        serving(harbor.answer) as host,
        inside(tmp_path, registry=host, **account) as server,
        client_of(server.url, **bearer()) as found,
    ):
        yield found


async def listed(client: Client, query: str, **given: str) -> list[list[str]]:
    """The pages, to the end."""
    pages, after = [], None
    while True:
        page = await client.ask(query, **given, after=after)
        pages.append(page["names"])
        after = page["endCursor"]
        if after is None:
            return pages


@pytest.mark.parametrize("account", ["robot"], indirect=True)
async def test_what_the_account_may_read_is_listed_page_by_page(
    client: Client, harbor: Harbor
) -> None:
    assert await listed(client, REPOSITORIES) == [
        ["library/python", "vision/detect"],
        ["vision/detect/small"],
    ]
    assert await listed(client, REPOSITORIES, search="det") == [
        ["vision/detect", "vision/detect/small"]
    ]
    assert await listed(client, REPOSITORIES, search="a,b") == [[]]
    assert sum("systeminfo" in path for path in harbor.paths) == 1


@pytest.mark.parametrize("account", ["nobody"], indirect=True)
async def test_without_an_account_what_is_public_is_listed(client: Client) -> None:
    assert await listed(client, REPOSITORIES) == [["library/python"]]


@pytest.mark.parametrize("account", ["robot"], indirect=True)
async def test_tags_are_those_of_all_artifacts(client: Client) -> None:
    tags = await listed(client, TAGS, repository="library/python")
    assert tags == [["3.12", "3"], ["latest", "3.11"], ["3.10"]]
    assert await listed(client, TAGS, repository="vision/detect/small") == [["2", "1"]]
    assert await listed(client, TAGS, repository="vision/detect") == [["1"]]


@pytest.mark.parametrize("account", ["robot"], indirect=True)
async def test_what_may_not_be_read_is_not_found(client: Client) -> None:
    for repository in ("secret/detect", "vision/none"):
        answer = await client.execute(TAGS, repository=repository)
        assert answer["data"] is None
        assert repository in answer["errors"][0]["message"]
