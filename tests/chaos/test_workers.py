"""Workers that die, freeze, or are told to stop, in each phase of a build."""

import asyncio
import contextlib
import os
import signal
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from engine.registry import Registry
from tests.chaos.arena import Arena, dockerfile, ended_well, log_is_whole, new_name
from tests.chaos.builds import create, held_in, said
from tests.chaos.conftest import LEASE
from tests.fixtures.columns import fleet
from tests.fixtures.database import Postgres
from tests.fixtures.images import push_image, tiny_image
from tests.fixtures.service import JSON, Client, client_of
from tests.servers.slow_registry import SlowRegistry, slow_registry
from tests.service.test_queue import CANCEL

# A lease that has just been renewed, the sweep after it, and a slow machine.
TAKEN_OVER = LEASE + LEASE / 3 + 4


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


async def test_a_worker_that_is_told_to_stop_ends_what_it_can(ring: Arena, user: Client) -> None:
    with ring.worker(GRACE_SECONDS="30", BUILDS_AT_ONCE="1") as first:
        async with held_in("building", ring, user) as created:
            waiting = await create(ring, user, seconds=0)
            await asyncio.to_thread(first.program.stop)
        build = await user.build(created["build"]["id"])
        assert (build["status"], build["attempt"]) == ("SUCCEEDED", 1)
        await ended_well(ring, user, created)
        assert first.program.process
        assert first.program.process.returncode == 0
    with ring.worker():
        assert (await ended_well(ring, user, waiting))["attempt"] == 1


@pytest.mark.parametrize("signals", [1, 2])
async def test_a_worker_that_must_stop_hands_back(ring: Arena, user: Client, signals: int) -> None:
    """When its grace is over, or at a second signal."""
    with ring.worker(GRACE_SECONDS="0.5" if signals == 1 else "60") as first:
        async with held_in("building", ring, user, seconds=4) as created:
            assert first.program.process
            first.program.process.send_signal(signal.SIGTERM)
            if signals == 2:
                while "may end within" not in first.log:  # noqa: ASYNC110  # it tells nobody
                    await asyncio.sleep(0.05)
                first.program.process.send_signal(signal.SIGTERM)
            assert await asyncio.to_thread(first.program.process.wait, 20) == 0
        with ring.worker():
            build = await ended_well(ring, user, created)
            assert build["attempt"] == 1  # it was nobody's fault
            assert "This worker stops" in await user.log(build["id"])


async def test_by_default_a_killed_worker_is_taken_over_within_half_a_minute(
    ring: Arena, postgres: Postgres, tmp_path: Path
) -> None:
    settings = {**ring.fleet.settings, "DATABASE_URL": postgres.database()}
    del settings["LEASE_SECONDS"]
    with fleet(tmp_path / "darkroom", settings) as found:
        calm = Arena(found, ring.registry, ring.registry_host, ring.base)
        async with client_of(found.server.url) as user:
            with calm.worker() as first:
                async with held_in("building", calm, user) as created:
                    first.program.kill()
                    killed = time.monotonic()
            with calm.worker():
                await said(user, created["build"]["id"], "the build starts again.")
                await user.reached(created["build"]["id"], "BUILDING")
                assert time.monotonic() - killed < 30
                assert (await ended_well(calm, user, created))["attempt"] == 2


@pytest.fixture
def door(ring: Arena) -> Iterator[SlowRegistry]:
    """The arena's registry, which can be held shut."""
    with slow_registry(ring.registry_host) as found:
        yield found


@pytest.fixture
def behind(ring: Arena, door: SlowRegistry, postgres: Postgres) -> dict[str, str]:
    """What servers and workers are told that push through the door."""
    named = {"DATABASE_URL": postgres.database(), "REGISTRY": door.host}
    return {**ring.fleet.settings, **named}


@contextlib.contextmanager
def _arena(ring: Arena, folder: Path, settings: dict[str, str]) -> Iterator[Arena]:
    with fleet(folder, settings) as found:
        yield Arena(found, ring.registry, ring.registry_host, ring.base)


async def _push_and_kill(slow: Arena, user: Client, door: SlowRegistry) -> JSON:
    """A creation whose worker was killed after the registry had taken the image."""
    with slow.worker() as worker, door.holding("PUT", "/manifests/", after=True):
        created = await create(slow, user, seconds=0)
        while await slow.digest(created["image"]["name"]) is None:  # noqa: ASYNC110  # it tells nobody
            await asyncio.sleep(0.05)
        worker.program.kill()
    return created


@pytest.mark.parametrize("end", ["CANCELED", "FAILED"])
async def test_what_a_killed_worker_pushed_is_withdrawn(
    ring: Arena, door: SlowRegistry, behind: dict[str, str], tmp_path: Path, end: str
) -> None:
    """Unless another try pushes over it, nothing on record would claim it."""
    with _arena(ring, tmp_path / "darkroom", {**behind, "BUILD_ATTEMPTS": "1"}) as slow:
        async with client_of(slow.fleet.server.url) as user:
            created = await _push_and_kill(slow, user, door)
            name = created["image"]["name"]
            if end == "CANCELED":
                await user.ask(CANCEL, id=created["build"]["id"])
            build = await user.finished(created)
            assert build["status"] == end
            assert await slow.digest(name) is None
            assert "was withdrawn from the registry." in await user.log(build["id"])
            await log_is_whole(user, build)


async def test_it_is_withdrawn_by_whoever_finds_the_registry_back(
    ring: Arena, door: SlowRegistry, behind: dict[str, str], tmp_path: Path
) -> None:
    """Also when the build was canceled before, while it was queued for its next try."""
    with _arena(ring, tmp_path / "darkroom", behind) as slow:
        async with client_of(slow.fleet.server.url) as user:
            created = await _push_and_kill(slow, user, door)
            ring.registry.stop()
            try:
                await said(user, created["build"]["id"], "the build starts again.")
                await user.ask(CANCEL, id=created["build"]["id"])
                assert (await user.finished(created))["status"] == "CANCELED"
                slow.fleet.server.kill()
            finally:
                ring.registry.start()
    name = created["image"]["name"]
    assert await ring.digest(name)
    with _arena(ring, tmp_path / "darkroom", behind):
        async with asyncio.timeout(10):
            while await ring.digest(name):  # noqa: ASYNC110  # it tells nobody
                await asyncio.sleep(0.05)


async def test_the_next_try_puts_back_what_was_there_before_the_first(
    ring: Arena, door: SlowRegistry, behind: dict[str, str], tmp_path: Path
) -> None:
    name = new_name()
    async with Registry(ring.registry_host) as registry:
        before = await push_image(registry, name[1:-2], "1", tiny_image())
    text = dockerfile(ring.base, seconds=0)
    with _arena(ring, tmp_path / "darkroom", behind) as slow:
        async with client_of(slow.fleet.server.url) as user:
            with slow.worker() as worker, door.holding("PUT", "/manifests/", after=True):
                given = {"name": name, "dockerfile": text, "overwrite": True}
                created = await user.create("Dockerfile", **given)
                id_ = created["build"]["id"]
                while await slow.digest(name) == before:  # noqa: ASYNC110  # it tells nobody
                    await asyncio.sleep(0.05)
                worker.program.kill()
            with ring.registry.frozen():
                await said(user, id_, "the build starts again.")
            assert await slow.digest(name) != before
            with slow.worker(), door.holding("PUT", "/manifests/", after=True) as hold:
                await asyncio.to_thread(hold.arrived.wait)
                await user.ask(CANCEL, id=id_)
                await user.reached(id_, "CANCELED")
            assert await slow.digest(name) == before
