"""An arena for all tests of a module: PostgreSQL, Redis and S3 beside it."""

from collections.abc import AsyncIterator, Iterator
from uuid import uuid4

import pytest

from tests.chaos.arena import Arena, arena
from tests.fixtures.blobs import CREDENTIALS, S3
from tests.fixtures.brokers import BrokerServer
from tests.fixtures.database import Postgres
from tests.fixtures.docker import PushBusybox
from tests.fixtures.service import Client, client_of

LEASE = 2.0


@pytest.fixture(scope="module")
def shared_arena(
    tmp_path_factory: pytest.TempPathFactory,
    docker_engine: str,
    postgres: Postgres,
    redis: BrokerServer,
    s3: S3,
) -> Iterator[Arena]:
    settings = {
        "ENGINE_URL": docker_engine,
        "DATABASE_URL": postgres.database(),
        "BROKER_URL": redis.url,
        "NOTIFY_URL": "",
        "BLOB_URL": s3.url.replace("some/prefix", uuid4().hex),
        "LEASE_SECONDS": str(LEASE),
        "BUILD_ATTEMPTS": "5",
    }
    with pytest.MonkeyPatch.context() as patch:
        for name, value in CREDENTIALS.items():
            patch.setenv(name, value)
        with arena(tmp_path_factory.mktemp("arena"), settings) as found:
            yield found


@pytest.fixture
async def ring(shared_arena: Arena, busybox: PushBusybox) -> Arena:
    """The arena, with a base image in its registry."""
    if not shared_arena.base:
        shared_arena.base = (await busybox(shared_arena.registry_host)).reference
    return shared_arena


@pytest.fixture
async def user(ring: Arena) -> AsyncIterator[Client]:
    async with client_of(ring.fleet.server.url) as client:
        yield client
