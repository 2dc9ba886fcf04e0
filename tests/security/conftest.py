"""A server as an operator would expose it, but impatient, so that tests need not wait."""

from collections.abc import AsyncIterator, Iterator

import aiohttp
import pytest

from tests.fixtures.service import Client, Server, client_of
from tests.service.quiet import quiet_server
from tests.service.tokens import SECRET, bearer

SETTINGS = {
    "AUTH": "jwt",
    "JWT_SECRET": SECRET,
    "HEADER_BYTES": "16384",
    "REQUEST_SECONDS": "1.5",
    "SUBSCRIPTIONS_PER_CONNECTION": "300",
    "SUBSCRIPTIONS_PER_USER": "500",
    "ALLOWED_ORIGINS": "https://portal.example.com",
    "PUSH_POLICY": "{user}/**,shared/**=create",
}


@pytest.fixture(scope="session")
def exposed(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    with quiet_server(tmp_path_factory.mktemp("exposed"), **SETTINGS) as running:
        yield running


@pytest.fixture
async def user(exposed: Server) -> AsyncIterator[Client]:
    async with client_of(exposed.url, **bearer("mina")) as found:
        yield found


@pytest.fixture
async def session() -> AsyncIterator[aiohttp.ClientSession]:
    async with aiohttp.ClientSession() as found:
        yield found
