"""Running builds in tests, and seeing what they leave on the machine."""

import asyncio
import time
from collections import defaultdict
from collections.abc import Callable
from contextlib import aclosing
from pathlib import Path
from uuid import uuid4

import pytest

from engine.docker.build import build
from engine.docker.client import DockerEngine
from engine.docker.events import BuildEvent, ImageBuilt, StepChanged, StepOutput
from engine.errors import BuildFailed
from tests.fixtures.docker import BuildsWith, context

Files = dict[str, str | bytes]


class Seen:
    """A build's events, sorted."""

    def __init__(self) -> None:
        self.history: dict[int, list[StepChanged]] = defaultdict(list)
        self.output: dict[int | None, bytes] = defaultdict(bytes)
        self.image_id: str | None = None

    def note(self, event: BuildEvent) -> None:
        assert self.image_id is None, "the image is the last event"
        match event:
            case StepChanged():
                self.history[event.index].append(event)
            case StepOutput():
                self.output[event.step] += event.data
            case ImageBuilt():
                self.image_id = event.image_id

    @property
    def steps(self) -> list[StepChanged]:
        """Every step as it stands in the end."""
        return [changes[-1] for changes in self.history.values()]

    def step(self, line: str) -> StepChanged:
        (found,) = [step for step in self.steps if step.name.endswith(f"] {line}")]
        return found


async def run(
    builds: BuildsWith, files: Files, seen: Seen | None = None, **options: object
) -> Seen:
    seen = seen or Seen()
    events = build(builds.engine, context(files), builder=builds.builder, **options)  # type: ignore[arg-type]  # as each test says
    async with aclosing(events):
        async for event in events:
            seen.note(event)
    return seen


async def failing(builds: BuildsWith, text: str, **options: object) -> tuple[BuildFailed, Seen]:
    seen = Seen()
    with pytest.raises(BuildFailed) as failure:
        await run(builds, {"Dockerfile": text}, seen, **options)
    assert all(step.status not in {"PENDING", "RUNNING"} for step in seen.steps)
    return failure.value, seen


def is_podman(builds: BuildsWith) -> bool:
    return "podman" in builds.engine.url


def unique_seconds() -> str:
    return str(uuid4().int % 10**8 + 10**8)


def sleepers(seconds: str) -> list[str]:
    """Processes that run `sleep seconds`, whatever starts them."""
    found = []
    for command in Path("/proc").glob("[0-9]*/cmdline"):
        try:
            arguments = command.read_bytes().split(b"\0")
        except OSError:
            continue
        if arguments[:2] == [b"sleep", seconds.encode()]:
            found.append(command.parent.name)
    return found


async def until(condition: Callable[[], object], seconds: float) -> None:
    deadline = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < deadline, "it did not come to pass in time"
        await asyncio.sleep(0.02)


async def until_no_containers(engine: DockerEngine) -> None:
    deadline = time.monotonic() + 5
    while await engine._docker.containers.list(all=True):
        assert time.monotonic() < deadline, "a container is left"
        await asyncio.sleep(0.05)
