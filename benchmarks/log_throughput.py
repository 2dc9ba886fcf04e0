"""400,000 lines of one step, from the mutation to the end of the `buildLog` subscription.

The baseline posts the same build to the engine and reads its answer without looking at it: no
queue, no database, no numbering, no masking, no WebSocket, no push.
"""

import time

from benchmarks import raw_engine
from benchmarks.figures import Figure
from benchmarks.lab import Darkroom, Lab
from engine.docker.client import DockerEngine

COMMAND = "python -m benchmarks log_throughput"
LINES = 400_000
_DOCKERFILE = "FROM {base}\nRUN : {nonce}; seq {lines}\n"


async def run(lab: Lab, rounds: int) -> list[Figure]:
    """Both in turn; the first round warms up and is not counted."""
    measured, baseline = [], []
    async with lab.darkroom() as darkroom, DockerEngine(lab.engine) as engine:
        for number in range(rounds + 1):
            start = time.perf_counter()
            size = await raw_engine.read_bytes(engine, _dockerfile(lab, f"raw-{number}"))
            between = time.perf_counter()
            await _by_subscription(darkroom, number, _dockerfile(lab, f"darkroom-{number}"))
            end = time.perf_counter()
            if size < 2 * LINES:
                raise RuntimeError(f"The engine's answer has only {size} bytes.")
            if number:
                baseline.append(between - start)
                measured.append(end - between)
    return [
        Figure(
            f"{LINES:,} log lines of one step: mutation to `BuildLogEnd`",
            COMMAND,
            measured,
            baseline,
            baseline_name="reading the engine's raw answer",
            unit="s",
            compared="ratio",
            target=2.0,
        )
    ]


def _dockerfile(lab: Lab, nonce: str) -> str:
    return _DOCKERFILE.format(base=lab.base, nonce=nonce, lines=LINES)


async def _by_subscription(darkroom: Darkroom, number: int, dockerfile: str) -> None:
    name = f"/bench/lines:{number}"
    created = await darkroom.client.create("Dockerfile", name=name, dockerfile=dockerfile)
    numbers = 0
    async for event in darkroom.client.follow(created["build"]["id"]):
        if "text" in event and event["text"][:1].isdigit():
            numbers += event["cursor"] - event["firstLine"] + 1
    if numbers < LINES:
        raise RuntimeError(f"Of {LINES} lines, {numbers} arrived.")
