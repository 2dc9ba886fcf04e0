"""Builds that no worker takes: how many may wait, for how long, and what is said of it."""

import contextlib
from collections.abc import AsyncIterator
from pathlib import Path

from tests.fixtures.brokers import BrokerServer
from tests.fixtures.service import JSON, Client, client_of, serving
from tests.service.quiet import NOTHING
from tests.service.test_dockerfile import new_name
from tests.service.tokens import SECRET, bearer

CANCEL = (
    "mutation($id: ID!) { cancelBuild(id: $id) { ... on CancelBuildPayload { build { id } } } }"
)


@contextlib.asynccontextmanager
async def waiting(folder: Path, broker: BrokerServer, **settings: str) -> AsyncIterator[Client]:
    """A user of a server without a worker."""
    given = {
        **NOTHING,
        "BROKER_URL": broker.url,
        "AUTH": "jwt",
        "JWT_SECRET": SECRET,
        "LEASE_SECONDS": "1",
        **settings,
    }
    with serving(folder / "data", given) as server:
        async with client_of(server.url) as client:
            client.headers.update(bearer("mina"))
            yield client


async def create(client: Client) -> JSON:
    return await client.create("Dockerfile", name=new_name(), dockerfile="FROM scratch\n")


async def test_a_user_may_have_so_many_builds_waiting(tmp_path: Path, redis: BrokerServer) -> None:
    async with waiting(tmp_path, redis, QUEUE_LENGTH="2") as mina:
        first, _ = await create(mina), await create(mina)
        refused = await create(mina)
        assert refused["__typename"] == "UnavailableError"
        assert "You have 2 builds waiting" in refused["message"]
        other = Client(mina.session, mina.url, bearer("noor"))
        assert (await create(other))["__typename"] == "CreateImagePayload"
        await mina.ask(CANCEL, id=first["build"]["id"])
        assert (await create(mina))["__typename"] == "CreateImagePayload"


async def test_a_build_that_waited_for_too_long_fails_with_the_reason(
    tmp_path: Path, redis: BrokerServer
) -> None:
    async with waiting(tmp_path, redis, QUEUE_SECONDS="1") as client:
        build = await client.finished(await create(client))
        assert build["status"] == "FAILED"
        assert build["failure"]["code"] == "QUEUED_TOO_LONG"
        assert build["failure"]["blame"] == "SYSTEM"
        assert "within 1 seconds" in build["failure"]["message"]
        assert await client.log(build["id"]) == f"QUEUED_TOO_LONG: {build['failure']['message']}"
        assert build["lineCount"] == 1
        assert build["startedAt"] is None


async def test_a_canceled_build_is_said_to_have_waited(tmp_path: Path, redis: BrokerServer) -> None:
    async with waiting(tmp_path, redis) as client:
        created = await create(client)
        await client.ask(CANCEL, id=created["build"]["id"])
        build = await client.finished(created)
        assert (build["status"], build["lineCount"]) == ("CANCELED", 1)
        assert await client.log(build["id"]) == "Canceled while it waited."
