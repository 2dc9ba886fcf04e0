"""Images from git: to the first step against `git fetch` by hand, and cached builds end to end.

The repository has sources and weights, 100 MB together. Its server sends 100 Mbit/s, as one that
is not on the same machine: over loopback, git takes less time than the files take to be written.
"""

import asyncio
import contextlib
import os
import subprocess
import tempfile
import time
from collections.abc import Awaitable, Callable, Iterator
from pathlib import Path

from benchmarks import docker_cli
from benchmarks.figures import Figure
from benchmarks.lab import Darkroom, Lab
from tests.fixtures.git import serve

COMMAND = "python -m benchmarks git_source"
SOURCES, SOURCE_BYTES = 1_000, 8 * 1024
WEIGHTS, WEIGHT_BYTES = 11, 8 * 1024**2
_DOCKERFILE = "FROM {base}\nCOPY . /app\nRUN sha256sum /app/weights/* > /sums\n"
_BRANCH = "main"

_Step = Callable[[int], Awaitable[float]]


async def run(lab: Lab, rounds: int) -> list[Figure]:
    """Both in turn; the first round warms up and is not counted."""
    with _repository(lab) as url:
        async with lab.darkroom(GIT_ALLOW_LOOPBACK="true") as darkroom:

            async def to_first_step(number: int) -> float:
                return await _to_first_step(darkroom, url, f"/bench/first:{number}")

            async def fetch(number: int) -> float:
                return await _timed(_fetch, lab.folder, url)

            async def from_git(number: int) -> float:
                return await _to_the_end(darkroom, url, f"/bench/git:{number}")

            async def by_hand(number: int) -> float:
                return await _timed(_by_hand, lab, url, f"{lab.registry}/bench/hand:{number}")

            first = await _in_turn(to_first_step, fetch, rounds)
            cached = await _in_turn(from_git, by_hand, rounds)
    return [
        Figure(
            "An image from git, 100 MB over 100 Mbit/s: mutation to the first step",
            COMMAND,
            *first,
            baseline_name="`git fetch --depth 1`",
            unit="s",
            compared="ratio",
            target=1.3,
        ),
        Figure(
            "An image from git, every step cached: mutation to `SUCCEEDED`",
            COMMAND,
            *cached,
            baseline_name="`git clone --depth 1` + `docker build` + `docker push`",
            unit="s",
            compared="ratio",
            target=1.10,
        ),
    ]


async def _in_turn(ours: _Step, theirs: _Step, rounds: int) -> tuple[list[float], list[float]]:
    measured, baseline = [], []
    for number in range(rounds + 1):
        # Neither is always the first.
        if number % 2:
            theirs_took = await theirs(number)
            ours_took = await ours(number)
        else:
            ours_took = await ours(number)
            theirs_took = await theirs(number)
        if number:
            measured.append(ours_took)
            baseline.append(theirs_took)
    return measured, baseline


async def _to_first_step(darkroom: Darkroom, url: str, name: str) -> float:
    start = time.perf_counter()
    created = await darkroom.client.create("Git", name=name, url=url, ref=_BRANCH)
    build = created["build"]["id"]
    async with contextlib.aclosing(darkroom.client.subscribe(_STEPS, id=build)) as events:
        async for event in events:
            if any(step["startedAt"] for step in event["steps"]):
                break
    took = time.perf_counter() - start
    await _succeeded(darkroom, created)
    return took


async def _to_the_end(darkroom: Darkroom, url: str, name: str) -> float:
    start = time.perf_counter()
    created = await darkroom.client.create("Git", name=name, url=url, ref=_BRANCH)
    await _succeeded(darkroom, created)
    return time.perf_counter() - start


async def _succeeded(darkroom: Darkroom, created: dict[str, object]) -> None:
    build = await darkroom.client.finished(created)
    if build["status"] != "SUCCEEDED":
        raise RuntimeError(f"The build did not succeed: {build['failure']}")


async def _timed(work: Callable[..., None], *arguments: object) -> float:
    start = time.perf_counter()
    await asyncio.to_thread(work, *arguments)
    return time.perf_counter() - start


def _fetch(parent: Path, url: str) -> None:
    with tempfile.TemporaryDirectory(dir=parent) as folder:
        _run("git", "init", "--quiet", "--bare", folder)
        _run("git", "--git-dir", folder, "fetch", "--quiet", "--depth", "1", url, _BRANCH)


def _by_hand(lab: Lab, url: str, reference: str) -> None:
    docker = docker_cli.find()
    env = os.environ | {"DOCKER_HOST": lab.engine, "DOCKER_BUILDKIT": "1"}
    with tempfile.TemporaryDirectory(dir=lab.folder) as folder:
        _run("git", "clone", "--quiet", "--depth", "1", url, folder)
        _run(docker, "build", "--quiet", "--tag", reference, folder, env=env)
    _run(docker, "push", "--quiet", reference, env=env)


@contextlib.contextmanager
def _repository(lab: Lab) -> Iterator[str]:
    """The repository's address while its server runs."""
    root = lab.folder / "repositories"
    root.mkdir()
    _run("git", "init", "--quiet", "--bare", f"--initial-branch={_BRANCH}", root / "app.git")
    with subprocess.Popen(
        ["git", "--git-dir", root / "app.git", "fast-import", "--quiet"], stdin=subprocess.PIPE
    ) as process:
        assert process.stdin is not None  # noqa: S101  # for mypy: it is a pipe
        for part in _commit(lab.base):
            process.stdin.write(part)
    # As a server keeps what was pushed to it.
    _run("git", "--git-dir", root / "app.git", "repack", "-adq")
    with serve(root, lab.folder / "git.log") as server:
        yield server.url("app.git", "distant")


def _commit(base: str) -> Iterator[bytes]:
    """A commit in the language of git-fast-import(1)."""
    who = b"Ada <ada@example.com> 1700000000 +0000"
    yield b"commit refs/heads/main\nauthor %b\ncommitter %b\ndata 1\nx\n" % (who, who)
    yield _file("Dockerfile", _DOCKERFILE.format(base=base).encode())
    for number in range(SOURCES):
        yield _file(f"src/{number % 50}/{number}.py", os.urandom(SOURCE_BYTES // 2).hex().encode())
    for number in range(WEIGHTS):
        yield _file(f"weights/{number}", os.urandom(WEIGHT_BYTES))


def _file(path: str, content: bytes) -> bytes:
    return b"M 100644 inline %b\ndata %d\n%b\n" % (path.encode(), len(content), content)


def _run(*command: str | Path, env: dict[str, str] | None = None) -> None:
    subprocess.run(command, check=True, env=env, stdin=subprocess.DEVNULL, capture_output=True)


_STEPS = "subscription($id: ID!) { buildUpdated(buildId: $id) { status steps { startedAt } } }"
