"""Steps that print faster than anybody reads, which an engine of version 20.10 cannot take.

Once 1 MiB of output piles up in it, it reports nothing for ever. The event loop is blocked here on
purpose, so that it does.
"""

import asyncio
import time
from contextlib import aclosing
from uuid import uuid4

import pytest

from engine.docker.build import build
from engine.docker.client import DockerEngine
from engine.docker.events import StepOutput
from engine.errors import BuildFailed
from models.enums import FailureCode
from tests.engine.building import Seen
from tests.fixtures.docker import BASE, context

LINES = 400_000
SLOW = 2.0  # seconds, in which a step prints all of it


async def flooded(
    engine: DockerEngine, step: str, *, blocking: bool, tag: str | None = None
) -> Seen:
    """Build a step that prints `LINES` lines, and stop listening at its first output."""
    seen, blocked = Seen(), not blocking
    text = f"FROM {BASE}\nRUN : {uuid4().hex}; seq {LINES}; {step}\n"
    async with aclosing(build(engine, context({"Dockerfile": text}), tag=tag)) as events:
        async for event in events:
            seen.note(event)
            if isinstance(event, StepOutput) and not blocked:
                blocked = True
                time.sleep(SLOW)  # noqa: ASYNC251  # nobody reads for as long
    return seen


def is_whole(seen: Seen) -> bool:
    lines = b"".join(f"{number}\n".encode() for number in range(1, LINES + 1))
    return lines in seen.output.values()


@pytest.mark.parametrize("blocking", [False, True])
async def test_a_flood_is_whole_and_the_build_ends(docker: DockerEngine, blocking: bool) -> None:
    tag = f"darkroom.test/{uuid4().hex}:1"
    seen = await flooded(docker, "true", blocking=blocking, tag=tag)
    assert is_whole(seen)
    named = await docker.image(tag)
    assert named
    assert named.id == seen.image_id
    await docker.remove_image(tag)


@pytest.mark.parametrize("blocking", [False, True])
async def test_a_step_that_fails_after_a_flood_is_named(
    docker: DockerEngine, blocking: bool
) -> None:
    with pytest.raises(BuildFailed, match="failed with exit code 3") as failure:
        await flooded(docker, "exit 3", blocking=blocking)
    assert failure.value.code is FailureCode.STEP_FAILED


async def test_an_engine_that_lost_track_is_not_waited_for(docker: DockerEngine) -> None:
    failure = seen = None
    async with asyncio.timeout(60):
        try:
            seen = await flooded(docker, "sleep 4; echo the rest", blocking=True)
        except BuildFailed as failed:
            failure = failed
    if failure:
        assert failure.code is FailureCode.INTERNAL
        assert "lost track of the build" in failure.message
    else:  # a newer engine
        assert seen
        assert is_whole(seen)
