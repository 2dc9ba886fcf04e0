"""Builds a minute through one, two and four workers, with a builder that does nothing.

And what a build costs the servers that all share: statements in PostgreSQL, messages in Redis.
"""

import asyncio
import contextlib
import os
import re
import sys
import time
from collections.abc import Iterator
from pathlib import Path

import asyncpg  # type: ignore[import-untyped]  # it ships no types
from redis.asyncio import Redis

from benchmarks.figures import Figure
from benchmarks.lab import Fleet, Lab
from server.local.process import free_port, running
from tests.fixtures.service import ROOT
from tests.servers.program import listens

COMMAND = "python -m benchmarks builds_per_minute"
WORKERS = (1, 2, 4)
BUILDS = 60
_WARM = 10
_AT_ONCE = 8  # creations that the user has under way
_STATEMENT = re.compile(rb"LOG:  (?:statement|execute [^:]*): ")


async def run(lab: Lab, rounds: int) -> list[Figure]:
    """A round takes more than a minute: two are enough for what has no target."""
    rates: dict[int, list[float]] = {workers: [] for workers in WORKERS}
    few, many = [], []
    with _idle(lab.folder) as idle:
        for _ in range(min(rounds, 2)):
            for workers in WORKERS:
                rates[workers].append(await _rate(lab, idle, workers))
                print(f"  {workers} workers: {rates[workers][-1]:.0f} builds/min", flush=True)
            few.append(await _cost(lab, idle, WORKERS[0]))
            many.append(await _cost(lab, idle, WORKERS[-1]))
    return [
        *(
            Figure(
                f"Builds a minute through {workers} workers, the builder does nothing",
                COMMAND,
                measured=rates[workers],
                baseline=rates[1],
                baseline_name="one worker",
                unit="builds/min",
            )
            for workers in WORKERS[1:]
        ),
        Figure(
            "What one build costs PostgreSQL, from the mutation to the end, four workers",
            COMMAND,
            measured=[statements for statements, _ in many],
            baseline=[statements for statements, _ in few],
            baseline_name="one worker",
            unit="statements",
        ),
        Figure(
            "What one build costs Redis, four workers",
            COMMAND,
            measured=[messages for _, messages in many],
            baseline=[messages for _, messages in few],
            baseline_name="one worker",
            unit="messages",
        ),
    ]


async def _rate(lab: Lab, idle: str, workers: int) -> float:
    """With the queue filled before the workers begin."""
    async with lab.fleet(ENGINE_URL=f"http://{idle}", REGISTRY=idle) as fleet:
        started = [fleet.worker(f"worker-{number}") for number in range(workers)]
        await _queue(fleet, "warm", _WARM)
        await _ended(fleet, _WARM)
        with contextlib.ExitStack() as frozen:
            for worker in started:
                frozen.enter_context(worker.program.frozen())
            await _queue(fleet, "measured", BUILDS)
        start = time.perf_counter()
        await _ended(fleet, _WARM + BUILDS)
        return 60 * BUILDS / (time.perf_counter() - start)


async def _cost(lab: Lab, idle: str, workers: int) -> tuple[float, float]:
    """Statements and messages of a build; by themselves, for being counted slows them down."""
    log_all = "ALTER DATABASE postgres SET log_statement = 'all'"
    async with lab.fleet(log_all, ENGINE_URL=f"http://{idle}", REGISTRY=idle) as fleet:
        for number in range(workers):
            fleet.worker(f"worker-{number}")
        await _queue(fleet, "warm", _WARM)
        await _ended(fleet, _WARM)
        before = await _statements(fleet), await _messages(fleet)
        await _queue(fleet, "counted", BUILDS)
        await _ended(fleet, _WARM + BUILDS)
        after = await _statements(fleet), await _messages(fleet)
    return (after[0] - before[0]) / BUILDS, (after[1] - before[1]) / BUILDS


async def _queue(fleet: Fleet, name: str, count: int) -> None:
    """Create so many images, some at once."""
    turns = asyncio.Semaphore(_AT_ONCE)

    async def create(number: int) -> None:
        async with turns:
            created = await fleet.darkroom.client.create(
                "Dockerfile",
                name=f"/bench/{name}-{number}:1",
                dockerfile="FROM scratch\nLABEL a=b\n",
            )
            if created["__typename"] != "CreateImagePayload":
                raise RuntimeError(f"The image was not created: {created}")

    await asyncio.gather(*map(create, range(count)))


async def _ended(fleet: Fleet, count: int) -> None:
    """Wait until so many builds have succeeded, by statements that are not counted."""
    connection = await asyncpg.connect(
        fleet.postgres.url(), server_settings={"log_statement": "none"}
    )
    try:
        while count > (  # noqa: ASYNC110  # of all processes, only the database knows
            await connection.fetchval("SELECT count(*) FROM build WHERE status = 'SUCCEEDED'")
        ):
            await asyncio.sleep(0.05)
    finally:
        await connection.close()


async def _statements(fleet: Fleet) -> int:
    log = await asyncio.to_thread(fleet.postgres.program.log.read_bytes)
    return len(_STATEMENT.findall(log))


async def _messages(fleet: Fleet) -> int:
    """Messages that were queued, and notifications, which go by PostgreSQL where it is used."""
    async with Redis.from_url(fleet.redis.url) as redis:
        stats = await redis.info("commandstats")
    return sum(stats.get(f"cmdstat_{name}", {"calls": 0})["calls"] for name in ("rpush", "publish"))


@contextlib.contextmanager
def _idle(folder: Path) -> Iterator[str]:
    port = free_port()
    command = [sys.executable, "-m", "benchmarks.idle_builder", str(port)]
    env = os.environ | {"PYTHONPATH": str(ROOT)}
    with running(command, log=folder / "idle.log", ready=listens(port), env=env):
        yield f"127.0.0.1:{port}"
