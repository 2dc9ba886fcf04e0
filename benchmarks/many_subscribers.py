"""1,000 subscribers on one build's log, against one: the build's time, and a line's way to them.

A server, a worker, PostgreSQL and Redis, each a process of its own, as where there are so many;
the subscribers too. The build waits until they are there, and then prints steadily.
"""

import asyncio
import contextlib
import json
import os
import sys
import time
from collections.abc import AsyncIterator

from benchmarks.figures import Figure
from benchmarks.lab import Darkroom, Lab
from benchmarks.log_latency import printing
from tests.fixtures.service import ROOT

COMMAND = "python -m benchmarks many_subscribers"
SUBSCRIBERS = 1_000
LINES_PER_SECOND, SECONDS = 200, 10
# The subscribers come while the first step runs.
_DOCKERFILE = "FROM {base}\nRUN : {nonce}; sleep 20\n{printing}"
_BEFORE = 20


async def run(lab: Lab, rounds: int) -> list[Figure]:
    """Many and one in turn."""
    times: dict[int, list[float]] = {SUBSCRIBERS: [], 1: []}
    ages: dict[int, list[float]] = {SUBSCRIBERS: [], 1: []}
    async with lab.fleet(SUBSCRIPTIONS_PER_USER=str(2 * SUBSCRIBERS)) as fleet:
        fleet.worker("one")
        for number in range(rounds):
            for count in (1, SUBSCRIBERS) if number % 2 else (SUBSCRIBERS, 1):
                took, age = await _one(lab, fleet.darkroom, number, count)
                print(f"  {count} subscribers: {took:.2f} s, {age:.0f} ms", flush=True)
                times[count].append(took)
                ages[count].append(age)
    return [
        Figure(
            f"A build with {SUBSCRIBERS:,} subscribers: mutation to `SUCCEEDED`",
            COMMAND,
            measured=times[SUBSCRIBERS],
            baseline=times[1],
            baseline_name="one subscriber",
            unit="s",
            target=1.05,
        ),
        Figure(
            f"A line's way to {SUBSCRIBERS:,} subscribers, 99th percentile at "
            f"{LINES_PER_SECOND} lines/s",
            COMMAND,
            measured=ages[SUBSCRIBERS],
            baseline=ages[1],
            baseline_name="one subscriber",
            unit="ms",
            compared="measured",
            target=500,
        ),
    ]


async def _one(lab: Lab, darkroom: Darkroom, number: int, count: int) -> tuple[float, float]:
    """A build with so many subscribers: its seconds, and the 99th percentile of the ages."""
    nonce = f"{count}-{number}"
    steps = printing(nonce, LINES_PER_SECOND, SECONDS)
    dockerfile = _DOCKERFILE.format(base=lab.base, nonce=nonce, printing=steps)
    start = time.perf_counter()
    created = await darkroom.client.create(
        "Dockerfile", name=f"/bench/subscribers:{nonce}", dockerfile=dockerfile
    )
    async with _subscribed(darkroom.server.url, created["build"]["id"], count) as subscribers:
        said = await anext(subscribers)
        if said != "ready" or time.perf_counter() - start > _BEFORE:
            raise RuntimeError("The subscribers were not there before the first line.")
        build = await darkroom.client.finished(created)
        took = time.perf_counter() - start
        if build["status"] != "SUCCEEDED":
            raise RuntimeError(f"The build did not succeed: {build['failure']}")
        summary = json.loads(await anext(subscribers))
    if summary["lines"] != count * LINES_PER_SECOND * SECONDS:
        raise RuntimeError(f"Only {summary['lines']} lines arrived.")
    return took, summary["p99"]


@contextlib.asynccontextmanager
async def _subscribed(url: str, build: str, count: int) -> AsyncIterator[AsyncIterator[str]]:
    """The lines that the subscribers' process prints."""
    process = await asyncio.create_subprocess_exec(
        *(sys.executable, "-m", "benchmarks.subscribers", url, build, str(count)),
        stdout=asyncio.subprocess.PIPE,
        env=os.environ | {"PYTHONPATH": str(ROOT)},
    )
    try:
        yield _lines(process)
    finally:
        with contextlib.suppress(ProcessLookupError):
            process.kill()
        await process.wait()


async def _lines(process: asyncio.subprocess.Process) -> AsyncIterator[str]:
    while process.stdout and (line := await process.stdout.readline()):
        yield line.decode().rstrip()
