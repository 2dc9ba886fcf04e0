"""1,000 subscribers on one build's log, against one: the build's time, and a line's way to them.

A server, a worker, PostgreSQL and Redis, each a process of its own, as where there are so many;
the subscribers too. The worker waits until they are there; then the build prints steadily.
"""

import asyncio
import contextlib
import json
import os
import sys
from asyncio.subprocess import Process
from collections.abc import AsyncIterator
from datetime import datetime

from benchmarks.figures import Figure
from benchmarks.lab import Darkroom, Lab
from benchmarks.log_latency import printing
from tests.fixtures.columns import Worker
from tests.fixtures.service import ROOT

COMMAND = "python -m benchmarks many_subscribers"
SUBSCRIBERS = 1_000
LINES_PER_SECOND, SECONDS = 200, 10
_PATIENCE = 120  # seconds for a thousand handshakes, on whatever machine


async def run(lab: Lab, rounds: int) -> list[Figure]:
    """Many and one in turn."""
    times: dict[int, list[float]] = {SUBSCRIBERS: [], 1: []}
    ages: dict[int, list[float]] = {SUBSCRIBERS: [], 1: []}
    async with lab.fleet(SUBSCRIPTIONS_PER_USER=str(2 * SUBSCRIBERS)) as fleet:
        worker = fleet.worker("one")
        for number in range(rounds):
            for count in (1, SUBSCRIBERS) if number % 2 else (SUBSCRIBERS, 1):
                took, age = await _one(lab, fleet.darkroom, worker, f"{count}-{number}", count)
                print(f"  {count} subscribers: {took:.2f} s, {age:.0f} ms", flush=True)
                times[count].append(took)
                ages[count].append(age)
    return [
        Figure(
            f"A build with {SUBSCRIBERS:,} subscribers: its start to `SUCCEEDED`",
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


async def _one(
    lab: Lab, darkroom: Darkroom, worker: Worker, nonce: str, count: int
) -> tuple[float, float]:
    """A build with so many subscribers: its seconds, and the 99th percentile of the ages."""
    dockerfile = f"FROM {lab.base}\n{printing(nonce, LINES_PER_SECOND, SECONDS)}"
    async with contextlib.AsyncExitStack() as stack:
        with worker.program.frozen():
            created = await darkroom.client.create(
                "Dockerfile", name=f"/bench/subscribers:{nonce}", dockerfile=dockerfile
            )
            subscribers = await stack.enter_async_context(
                _subscribed(darkroom.server.url, created["build"]["id"], count)
            )
            await _attached(darkroom, count)
        build = await darkroom.client.finished(created)
        if build["status"] != "SUCCEEDED":
            raise RuntimeError(f"The build did not succeed: {build['failure']}")
        told = json.loads((await subscribers.communicate())[0])
    if told["lines"] != count * LINES_PER_SECOND * SECONDS:
        raise RuntimeError(f"Only {told['lines']} lines arrived.")
    return _seconds(build), told["p99"]


async def _attached(darkroom: Darkroom, count: int) -> None:
    """Wait until so many follow a build."""
    following = f'darkroom_subscribers{{channel="build"}} {float(count)}'
    async with asyncio.timeout(_PATIENCE):
        while following not in await _metrics(darkroom):  # noqa: ASYNC110  # only the server knows
            await asyncio.sleep(0.1)


async def _metrics(darkroom: Darkroom) -> str:
    async with darkroom.client.session.get(f"{darkroom.server.url}/metrics") as answer:
        return await answer.text()


def _seconds(build: dict[str, str]) -> float:
    begun, ended = (datetime.fromisoformat(build[key]) for key in ("startedAt", "finishedAt"))
    return (ended - begun).total_seconds()


@contextlib.asynccontextmanager
async def _subscribed(url: str, build: str, count: int) -> AsyncIterator[Process]:
    """Their process, which prints its summary at the end."""
    process = await asyncio.create_subprocess_exec(
        *(sys.executable, "-m", "benchmarks.subscribers", url, build, str(count)),
        stdout=asyncio.subprocess.PIPE,
        env=os.environ | {"PYTHONPATH": str(ROOT)},
    )
    try:
        yield process
    except BaseException:
        process.kill()
        raise
    finally:
        await process.wait()
