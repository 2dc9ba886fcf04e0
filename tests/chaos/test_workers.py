"""Workers that die, freeze, or are told to stop, in each phase of a build."""

import asyncio
import contextlib
import os
import signal
import time
from collections.abc import AsyncIterator

import asyncpg  # type: ignore[import-untyped]  # it ships no types
import pytest

from schema import ids
from tests.chaos.arena import Arena, dockerfile, ended_well, new_name
from tests.chaos.conftest import LEASE
from tests.fixtures.service import JSON, Client

# A lease that has just been renewed, the sweep after it, and a slow machine.
TAKEN_OVER = LEASE + LEASE / 3 + 4


@contextlib.asynccontextmanager
async def held_in(phase: str, ring: Arena, user: Client) -> AsyncIterator[JSON]:
    """A build that a worker holds in this phase, for as long as the block lasts."""
    if phase == "fetching":
        with ring.registry.frozen():
            created = await create(ring, user)
            await user.reached(created["build"]["id"], "PREPARING")
            yield created
        return
    created = await create(ring, user)
    id_ = created["build"]["id"]
    await user.reached(id_, "BUILDING")
    await said(user, id_, "line 49")
    if phase == "building":
        yield created
        return
    with ring.registry.frozen():
        await user.reached(id_, "PUSHING")
        if phase == "pushing":
            yield created
            return
        image = ids.decode("Image", created["image"]["id"])
        connection = await asyncpg.connect(ring.fleet.settings["DATABASE_URL"])
        await connection.execute("BEGIN")
        await connection.fetchrow("SELECT id FROM image WHERE id = $1 FOR UPDATE", image)
    # The push goes on now, and its record waits for the image's row.
    try:
        while await ring.digest(created["image"]["name"]) is None:  # noqa: ASYNC110
            await asyncio.sleep(0.05)
        await said(user, id_, "compressed.")
        yield created
    finally:
        await connection.close()


async def create(ring: Arena, user: Client, seconds: float = 2) -> JSON:
    return await user.create(
        "Dockerfile", name=new_name(), dockerfile=dockerfile(ring.base, seconds)
    )


async def said(user: Client, id_: str, text: str) -> None:
    """Wait until the log has a line that ends so."""
    async with contextlib.aclosing(user.follow(id_)) as events:
        async for event in events:
            if any(line.endswith(text) for line in event.get("text", "").split("\n")):
                return


@pytest.mark.parametrize("phase", ["fetching", "building", "pushing", "recording"])
async def test_a_killed_worker_is_taken_over(ring: Arena, user: Client, phase: str) -> None:
    with ring.worker() as first:
        async with held_in(phase, ring, user) as created:
            first.program.kill()
            killed = time.monotonic()
        with ring.worker() as second:
            id_ = created["build"]["id"]
            await said(user, id_, "the build starts again.")
            assert time.monotonic() - killed < TAKEN_OVER
            build = await ended_well(ring, user, created)
            assert build["attempt"] == 2
            log = await user.log(id_)
            assert f"WORKER_LOST: The worker {first.name} was lost" in log
            assert second.program.process is not None


@pytest.mark.parametrize("phase", ["building", "pushing"])
async def test_a_worker_that_wakes_up_late_changes_nothing(
    ring: Arena, user: Client, phase: str
) -> None:
    with ring.worker() as sleeper:
        async with held_in(phase, ring, user) as created:
            assert sleeper.program.process
            os.killpg(sleeper.program.process.pid, signal.SIGSTOP)
        try:
            with ring.worker():
                build = await ended_well(ring, user, created)
                log = await user.log(build["id"])
        finally:
            os.killpg(sleeper.program.process.pid, signal.SIGCONT)
        # It has woken up, found that the build is another's, and takes the next one.
        another = await create(ring, user, seconds=0)
        assert (await ended_well(ring, user, another))["attempt"] == 1
        assert await ended_well(ring, user, created) == build
        assert await user.log(build["id"]) == log


async def test_a_worker_that_is_told_to_stop_hands_back(ring: Arena, user: Client) -> None:
    with ring.worker() as first:
        async with held_in("building", ring, user) as created:
            began = time.monotonic()
            await asyncio.to_thread(first.program.stop)
            assert time.monotonic() - began < 10
            assert first.program.process
            assert first.program.process.returncode == 0
        with ring.worker():
            build = await ended_well(ring, user, created)
            assert build["attempt"] == 1  # it was nobody's fault
            assert "This worker stops" in await user.log(build["id"])
