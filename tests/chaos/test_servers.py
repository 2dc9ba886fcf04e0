"""Servers around Darkroom that go away and come back, and Darkroom's own server."""

import asyncio
import contextlib
import tempfile
import time
from pathlib import Path
from urllib.parse import urlsplit

import pytest

from server.local.engine import local_engine
from settings import Settings
from tests.chaos.arena import Arena, ended_well, log_is_whole
from tests.chaos.builds import create, held_in, said
from tests.chaos.conftest import LEASE
from tests.fixtures.brokers import BrokerServer
from tests.fixtures.database import Postgres
from tests.fixtures.service import Client, client_of, serving
from tests.servers.network import Network


@pytest.mark.parametrize("phase", ["fetching", "building", "pushing"])
async def test_a_database_that_restarts_costs_no_try(
    ring: Arena, user: Client, postgres: Postgres, phase: str
) -> None:
    # The default lease, of which a part is waited: a restart may take longer than those of here.
    with ring.worker(LEASE_SECONDS=str(Settings.model_fields["lease_seconds"].default)):
        async with held_in(phase, ring, user) as created:
            await asyncio.to_thread(postgres.program.restart)
        build = await ended_well(ring, user, created)
        assert build["attempt"] == 1, await user.log(build["id"])


async def test_a_worker_that_loses_the_database_is_taken_over(
    ring: Arena, user: Client, postgres: Postgres
) -> None:
    with Network(postgres.port).running() as network:
        address = ring.fleet.settings["DATABASE_URL"].replace(
            f":{postgres.port}/", f":{network.port}/"
        )
        with ring.worker(DATABASE_URL=address):
            async with held_in("building", ring, user, seconds=3 * LEASE) as created:
                network.mode = "swallow"
            with ring.worker():
                build = await ended_well(ring, user, created)
                assert build["attempt"] == 2
                network.mode = "pass"
                log = await user.log(build["id"])
            # The one that was cut off works on as before, and has changed nothing.
            another = await create(ring, user, seconds=0)
            assert (await ended_well(ring, user, another))["attempt"] == 1
            assert await ended_well(ring, user, created) == build
            assert await user.log(build["id"]) == log


async def test_a_slow_database_is_only_slow(ring: Arena, user: Client, postgres: Postgres) -> None:
    with Network(postgres.port).running() as network:
        address = ring.fleet.settings["DATABASE_URL"].replace(
            f":{postgres.port}/", f":{network.port}/"
        )
        # The default lease: those of these tests are shorter than a slow network deserves.
        with ring.worker(DATABASE_URL=address, LEASE_SECONDS="15"):
            network.mode = "delay"
            created = await create(ring, user, seconds=0)
            assert (await ended_well(ring, user, created))["attempt"] == 1


async def test_a_broker_that_is_away_delays_and_loses_nothing(
    ring: Arena, user: Client, redis: BrokerServer
) -> None:
    with ring.worker():
        await asyncio.to_thread(redis.program.stop)
        created = await create(ring, user, seconds=0)
        await ended_well(ring, user, created)
        await asyncio.to_thread(redis.program.start)
        created = await create(ring, user, seconds=0)
        await ended_well(ring, user, created)


async def test_messages_that_a_broker_forgot_are_not_missed(
    ring: Arena, user: Client, redis: BrokerServer
) -> None:
    waiting = [await create(ring, user, seconds=0) for _ in range(3)]
    await asyncio.to_thread(redis.program.restart)  # it keeps nothing
    with ring.worker():
        for created in waiting:
            await ended_well(ring, user, created)


async def test_a_registry_that_stops_is_pushed_to_again(ring: Arena, user: Client) -> None:
    """For a minute by default; here all is ten times as fast."""
    defaults = {name: field.default for name, field in Settings.model_fields.items()}
    pause = {"RETRY_SECONDS": str(defaults["retry_seconds"] / 10)}
    with ring.worker(**pause, BUILD_ATTEMPTS=str(defaults["build_attempts"])):
        async with held_in("pushing", ring, user) as created:
            await asyncio.to_thread(ring.registry.kill)
            killed = time.monotonic()
        while time.monotonic() < killed + 6:
            assert (await user.build(created["build"]["id"]))["status"] == "PUSHING"
            await asyncio.sleep(0.2)
        await asyncio.to_thread(ring.registry.start)
        build = await ended_well(ring, user, created)
        assert build["attempt"] == 1
        assert (await user.log(build["id"])).count("begun-") == 2  # the step's name, its output


@pytest.mark.parametrize("fault", ["fail", "cut"])
async def test_a_blob_store_that_fails_is_asked_again(
    ring: Arena, user: Client, fault: str
) -> None:
    address = ring.fleet.settings["BLOB_URL"]
    port = urlsplit(address.partition("endpoint=")[2]).port
    assert port
    with Network(port).running() as network:
        address = address.replace(f":{port}", f":{network.port}")
        with ring.worker(BLOB_URL=address):
            network.mode = fault  # type: ignore[assignment]  # one of the modes, as listed above
            created = await create(ring, user, seconds=0)
            await said(user, created["build"]["id"], "seconds.")  # until the next try
            network.mode = "pass"
            build = await ended_well(ring, user, created)
            assert "INTERNAL: The blob store could not" in await user.log(build["id"])


async def test_an_engine_that_restarts_costs_one_try(ring: Arena, user: Client) -> None:
    with tempfile.TemporaryDirectory(prefix="dr-") as folder, contextlib.ExitStack() as stack:
        engine = local_engine(Path(folder))
        url = await asyncio.to_thread(stack.enter_context, engine)
        with ring.worker(ENGINE_URL=url):
            async with held_in("building", ring, user, seconds=3) as created:
                await asyncio.to_thread(stack.close)
            again = await asyncio.to_thread(stack.enter_context, local_engine(Path(folder)))
            assert again == url
            build = await ended_well(ring, user, created)
            assert build["attempt"] > 1
            assert "ENGINE_UNREACHABLE" in await user.log(build["id"])


async def test_readers_go_on_at_their_cursor_when_the_server_was_killed(
    ring: Arena, user: Client
) -> None:
    fleet = ring.fleet
    data = fleet.data.with_name("another-server")
    with ring.worker():
        with serving(data, fleet.settings) as server:
            port = server.port
            async with client_of(server.url) as reader, held_in("building", ring, user) as created:
                lines: list[str] = []
                with contextlib.suppress(Exception):
                    async for event in reader.follow(created["build"]["id"]):
                        lines += event["text"].split("\n")
                        if any(line.endswith("line 49") for line in lines):
                            server.kill()
        with serving(data, fleet.settings, port) as server:
            async with client_of(server.url) as reader:
                async for event in reader.follow(created["build"]["id"], after=len(lines)):
                    if "text" in event:
                        assert event["firstLine"] == len(lines) + 1
                        lines += event["text"].split("\n")
        build = await ended_well(ring, user, created)
        assert await log_is_whole(user, build) == lines
