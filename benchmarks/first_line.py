"""From `createImageFromDockerfile` to the first line of the log at a subscriber, idle.

The subscriber opens its WebSocket and asks for the log once it has the build's id. The
baseline posts the same build to the engine, and waits for the first message of its answer.
"""

import contextlib
import time

from benchmarks import raw_engine
from benchmarks.figures import Figure
from benchmarks.lab import Darkroom, Lab
from engine.docker.client import DockerEngine

COMMAND = "python -m benchmarks first_line"
TIMES = 10  # of each round, which counts their mean
_DOCKERFILE = "FROM {base}\nLABEL nonce={nonce}\n"


async def run(lab: Lab, rounds: int) -> list[Figure]:
    """Both in turn; the first round warms up and is not counted."""
    measured, baseline = [], []
    async with lab.darkroom() as darkroom, DockerEngine(lab.engine) as engine:
        for number in range(rounds + 1):
            ours = theirs = 0.0
            for time_ in range(TIMES):
                ours += await _first_line(darkroom, lab, f"{number}-{time_}")
                theirs += await _first_message(engine, lab, f"raw-{number}-{time_}")
            if number:
                measured.append(1000 * ours / TIMES)
                baseline.append(1000 * theirs / TIMES)
    return [
        Figure(
            "From `createImageFromDockerfile` to the first log line, idle",
            COMMAND,
            measured,
            baseline,
            baseline_name="the first message of the engine's raw answer",
            unit="ms",
            compared="measured",
            target=300,
        )
    ]


async def _first_line(darkroom: Darkroom, lab: Lab, nonce: str) -> float:
    start = time.perf_counter()
    created = await darkroom.client.create(
        "Dockerfile",
        name=f"/bench/first:{nonce}",
        dockerfile=_DOCKERFILE.format(base=lab.base, nonce=nonce),
    )
    async with contextlib.aclosing(darkroom.client.follow(created["build"]["id"])) as events:
        first = await anext(events)
    took = time.perf_counter() - start
    if not first["text"]:
        raise RuntimeError("The first event of the log has no line.")
    await darkroom.client.finished(created)  # or the next one would not find the service idle
    return took


async def _first_message(engine: DockerEngine, lab: Lab, nonce: str) -> float:
    start = time.perf_counter()
    dockerfile = _DOCKERFILE.format(base=lab.base, nonce=nonce)
    took = 0.0
    async for _ in raw_engine.messages(engine, dockerfile):
        took = took or time.perf_counter() - start
    return took
