"""Looking where nothing may be left, and where a secret may not be."""

import asyncio
import os
import subprocess
import time
from collections.abc import Awaitable, Callable, Iterator
from pathlib import Path

import aiohttp

from engine.docker.client import DockerEngine


async def until(
    wanted: Callable[[], Awaitable[object]], what: str = "it", seconds: float = 30
) -> None:
    """Wait until it is so."""
    deadline = time.monotonic() + seconds
    while not await wanted():
        assert time.monotonic() < deadline, f"{what} did not come within {seconds} seconds"
        await asyncio.sleep(0.02)


def work_of(data: Path) -> list[Path]:
    """Folders of builds in a server's data folder."""
    work = data / "work"
    return list(work.iterdir()) if work.exists() else []


async def containers(engine_url: str) -> list[str]:
    """The commands that run on an engine's machine in its build containers."""
    async with DockerEngine(engine_url) as engine:
        found = await engine._docker.containers.list(all=1)
        return [container.id for container in found]


async def tags(host: str, repository: str) -> list[str]:
    """The tags that an open registry has in a repository."""
    async with (
        aiohttp.ClientSession() as session,
        session.get(f"http://{host}/v2/{repository}/tags/list") as answer,
    ):
        found = await answer.json(content_type=None)
    return list(found.get("tags") or [])


def places_with(secret: bytes, *folders: Path) -> list[Path]:
    """The files that hold a secret."""
    done = subprocess.run(
        ["grep", "-rlaF", "--", secret.decode(), *map(str, folders)],
        capture_output=True,
        text=True,
        check=False,
    )
    return [Path(line) for line in done.stdout.splitlines()]


def descendants(process: int) -> Iterator[int]:
    """The processes that a process started, and those that they started."""
    parents: dict[int, int] = {}
    for entry in os.listdir("/proc"):
        if entry.isdigit():
            try:
                stat = Path(f"/proc/{entry}/stat").read_text()
            except OSError:
                continue
            parents[int(entry)] = int(stat.rpartition(")")[2].split()[1])
    wave = {process}
    while wave := {child for child, parent in parents.items() if parent in wave}:
        yield from wave


def shown_by(process: int) -> bytes:
    """What anybody may read of a process: its arguments and its environment."""
    try:
        return b"".join(Path(f"/proc/{process}/{name}").read_bytes() for name in _SHOWN)
    except OSError:
        return b""  # it ended while we looked


_SHOWN = ("cmdline", "environ")
