"""A million lines of a running build, from PostgreSQL to one subscriber.

They lie in the rows into which the writer of a build's log put them. The baseline reads the same
rows from the same database, by asyncpg and all at once, and looks at nothing.
"""

import contextlib
import time
from datetime import timedelta

import asyncpg  # type: ignore[import-untyped]  # it ships no types

from benchmarks.figures import Figure
from benchmarks.lab import Fleet, Lab
from engine.clock import now
from engine.logs.writer import LogWriter
from engine.notify import InProcessNotifier
from models import Build, database
from models.enums import BuildStatus
from schema import ids
from tests import rows
from tests.fixtures.service import FOLLOW, events

COMMAND = "python -m benchmarks log_replay"
LINES = 1_000_000
_AT_ONCE = 1_000  # lines of one message from the builder


async def run(lab: Lab, rounds: int) -> list[Figure]:
    """Both in turn; the first round warms up and is not counted."""
    measured, baseline = [], []
    async with lab.fleet() as fleet:
        build_id = await _write(fleet.postgres.url())
        for number in range(rounds + 1):
            ours = await _replayed(fleet, build_id)
            theirs = await _read(fleet.postgres.url(), build_id)
            if number:
                measured.append(ours)
                baseline.append(theirs)
    return [
        Figure(
            f"{LINES:,} log lines of a running build, replayed from PostgreSQL",
            COMMAND,
            measured,
            baseline,
            baseline_name="reading their rows by asyncpg",
            unit="s",
            target=2.0,
        )
    ]


async def _write(url: str) -> int:
    """A build that runs, and says nothing more; its id."""
    async with database.opened(url):
        build = await rows.build_of(
            await rows.save(rows.image()),
            status=BuildStatus.BUILDING,
            fence=1,
            worker="benchmark",
            lease_until=now() + timedelta(days=1),
            finished_at=None,
        )
        async with LogWriter(build, InProcessNotifier(), limit=2**40).opened() as writer:
            for first in range(0, LINES, _AT_ONCE):
                lines = (
                    f"epoch 1: batch {number} of {LINES}, loss 0.{number:07}"
                    for number in range(first, first + _AT_ONCE)
                )
                await writer.write(1, now(), "".join(f"{line}\n" for line in lines).encode())
        await Build.filter(id=build.id, log_lines=LINES).get()
        return int(build.id)


async def _replayed(fleet: Fleet, build_id: int) -> float:
    """From the subscription on: the baseline is connected before it begins, too."""
    async with fleet.darkroom.client.connected() as socket:
        start = time.perf_counter()
        following = events(socket, FOLLOW, id=ids.encode("Build", build_id), after=0)
        async with contextlib.aclosing(following):
            async for event in following:
                if event["cursor"] == LINES:
                    break
        return time.perf_counter() - start


async def _read(url: str, build_id: int) -> float:
    connection = await asyncpg.connect(url)
    try:
        start = time.perf_counter()
        await connection.fetch("SELECT * FROM log_chunk WHERE build_id = $1 ORDER BY id", build_id)
        return time.perf_counter() - start
    finally:
        await connection.close()
