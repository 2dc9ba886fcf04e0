"""From a line's emission in a step to its arrival at a subscriber, at 1,000 lines a second.

The step prints the machine's clock, in microseconds, and nothing else; whoever receives the line
compares it with the same clock. The baseline is the engine's own stream, decoded and no more.
"""

import base64
import statistics
import time
from collections.abc import Iterable, Iterator

from benchmarks import raw_engine
from benchmarks.figures import Figure
from benchmarks.lab import Darkroom, Lab
from engine.docker.client import DockerEngine
from engine.docker.protos.status_pb2 import StatusResponse

COMMAND = "python -m benchmarks log_latency"
LINES_PER_SECOND = 1_000
SECONDS = 10
# busybox's sh knows the time and can wait without starting a process: what was due while it
# waited is printed at once, each line with the time of its printing.
_PRINTING = """\
RUN : {nonce}; mkfifo /never; exec 3<>/never; now() {{ t=$EPOCHREALTIME; t=${{t%.*}}${{t#*.}}; }}; \
    now; start=$t; n=0; while [ $n -lt {lines} ]; do now; \
    if [ $((t - start)) -ge $((n * 1000000 / {rate})) ]; then echo $t; n=$((n + 1)); \
    else read -t {pause} -u 3 line; fi; done; true
"""


async def run(lab: Lab, rounds: int) -> list[Figure]:
    """Both in turn; each round's value is its 99th percentile."""
    measured, baseline = [], []
    async with lab.darkroom() as darkroom, DockerEngine(lab.engine) as engine:
        for number in range(rounds):
            baseline.append(_percentile(await _raw(engine, _dockerfile(lab, f"raw-{number}"))))
            text = _dockerfile(lab, f"darkroom-{number}")
            measured.append(_percentile(await _subscribed(darkroom, f"/bench/rate:{number}", text)))
    return [
        Figure(
            f"A line's way to a subscriber, 99th percentile at {LINES_PER_SECOND:,} lines/s",
            COMMAND,
            measured,
            baseline,
            baseline_name="the engine's raw answer, decoded",
            unit="ms",
            compared="measured",
            target=150,
        )
    ]


def printing(nonce: str, rate: int, seconds: int) -> str:
    """A step that prints so many lines a second, each the time of its printing."""
    pause = f"{1 / rate:.3f}"
    return _PRINTING.format(nonce=nonce, rate=rate, lines=rate * seconds, pause=pause)


def _dockerfile(lab: Lab, nonce: str) -> str:
    return f"FROM {lab.base}\n{printing(nonce, LINES_PER_SECOND, SECONDS)}"


async def _raw(engine: DockerEngine, dockerfile: str) -> list[float]:
    ages: list[float] = []
    async for message in raw_engine.messages(engine, dockerfile):
        if message.get("id") == "moby.buildkit.trace":
            trace = StatusResponse.FromString(base64.b64decode(message["aux"]))
            now = time.time()
            for log in trace.logs:
                ages += _ages(log.msg.decode().splitlines(), now)
    return ages


async def _subscribed(darkroom: Darkroom, name: str, dockerfile: str) -> list[float]:
    ages: list[float] = []
    created = await darkroom.client.create("Dockerfile", name=name, dockerfile=dockerfile)
    async for event in darkroom.client.follow(created["build"]["id"]):
        ages += _ages(event.get("text", "").splitlines(), time.time())
    return ages


def _ages(lines: Iterable[str], now: float) -> Iterator[float]:
    """The ages in milliseconds of the lines that are a time and nothing else."""
    return (now * 1000 - printed for printed in times(lines))


def times(lines: Iterable[str]) -> Iterator[float]:
    """What the lines say that are a time and nothing else, in milliseconds since 1970."""
    return (int(line) / 1000 for line in lines if len(line) == 16 and line.isdigit())


def _percentile(ages: list[float]) -> float:
    if len(ages) != LINES_PER_SECOND * SECONDS:
        raise RuntimeError(f"Of {LINES_PER_SECOND * SECONDS} lines, {len(ages)} arrived.")
    return statistics.quantiles(ages, n=100)[-1]
