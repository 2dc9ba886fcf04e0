"""From the mutation to SUCCEEDED, against `docker build` and `docker push` by the CLI.

Both build the same Dockerfile on the same engine and push to the same registry. A comment that is
new each time keeps BuildKit from knowing the steps; for the cached build the same text is built
once more, under another name.
"""

import asyncio
import time
from collections.abc import Awaitable, Callable

from benchmarks.docker_cli import DockerCli
from benchmarks.figures import Compared, Figure
from benchmarks.lab import Darkroom, Lab

COMMAND = "python -m benchmarks build_time"

# Work of several seconds for processor and disk, and a layer that has to be compressed and pushed.
_DOCKERFILE = """\
FROM {base}
RUN : {nonce}; dd if=/dev/urandom of=/noise bs=1M count=48
RUN for round in 1 2 3 4 5; do sha512sum /noise; md5sum /noise; done
RUN gzip -k /noise && rm /noise.gz
LABEL benchmark=build_time
"""

_Build = Callable[[str, str], Awaitable[None]]
_Times = dict[str, list[float]]


async def run(lab: Lab, rounds: int) -> list[Figure]:
    """By both in turn; the first round warms up and is not counted."""
    cli = DockerCli(lab.engine)
    uncached: _Times = {"darkroom": [], "cli": []}
    cached: _Times = {"darkroom": [], "cli": []}
    async with lab.darkroom() as darkroom:

        async def by_darkroom(name: str, dockerfile: str) -> None:
            await _create(darkroom, name, dockerfile)

        async def by_cli(name: str, dockerfile: str) -> None:
            await asyncio.to_thread(cli.build_and_push, dockerfile, f"{lab.registry}{name}")

        for number in range(rounds + 1):
            both: list[tuple[str, _Build]] = [("darkroom", by_darkroom), ("cli", by_cli)]
            # Neither is always the first.
            for who, build in both if number % 2 else reversed(both):
                dockerfile = _DOCKERFILE.format(base=lab.base, nonce=f"{who}-{number}")
                uncached[who].append(await _timed(build, f"/bench/{who}:{number}", dockerfile))
                cached[who].append(await _timed(build, f"/bench/{who}:{number}-again", dockerfile))
    return [
        _figure("nothing cached", uncached, "ratio", 1.10),
        _figure("every step cached", cached, "difference", 0.3),
    ]


def _figure(what: str, times: _Times, compared: Compared, target: float) -> Figure:
    return Figure(
        f"Create an image, {what}: mutation to `SUCCEEDED`",
        COMMAND,
        measured=times["darkroom"][1:],
        baseline=times["cli"][1:],
        baseline_name="`docker build` + `docker push`",
        unit="s",
        compared=compared,
        target=target,
    )


async def _create(darkroom: Darkroom, name: str, dockerfile: str) -> None:
    created = await darkroom.client.create("Dockerfile", name=name, dockerfile=dockerfile)
    build = await darkroom.client.finished(created)
    if build["status"] != "SUCCEEDED":
        raise RuntimeError(f"The build did not succeed: {build['failure']}")


async def _timed(build: _Build, name: str, dockerfile: str) -> float:
    start = time.perf_counter()
    await build(name, dockerfile)
    return time.perf_counter() - start
