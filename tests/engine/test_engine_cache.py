"""The engine's build cache is trimmed by age and size, on a real engine, by one of its workers."""

from collections.abc import AsyncIterator
from pathlib import Path
from types import SimpleNamespace
from typing import cast
from uuid import uuid4

import pytest

from engine import engine_cache
from engine.docker.build import build
from engine.docker.client import DockerEngine
from engine.docker.events import StepChanged
from engine.services import Services
from models import database
from models.enums import StepStatus
from settings import Settings
from tests.fixtures.docker import BASE, context


@pytest.fixture(autouse=True)
async def opened(tmp_path: Path) -> AsyncIterator[None]:
    url = f"sqlite://{tmp_path / 'db.sqlite3'}"
    await database.migrate(url)
    async with database.opened(url, everywhere=True):
        yield


def services(docker: DockerEngine, **given: object) -> Services:
    found = SimpleNamespace(settings=Settings(**given), docker=docker)  # type: ignore[arg-type]  # settings by their names
    return cast(Services, found)


async def is_cached(docker: DockerEngine, text: str) -> bool:
    """Build a step, whose image goes at once; whether the cache had it."""
    files: dict[str, str | bytes] = {"Dockerfile": f"FROM {BASE}\nRUN echo {text}\n"}
    tag = f"darkroom.test/{text}:1"
    events = [event async for event in build(docker, context(files), tag=tag)]
    await docker.remove_image(tag)
    return any(
        isinstance(event, StepChanged) and "RUN" in event.name and event.status is StepStatus.CACHED
        for event in events
    )


@pytest.mark.parametrize(
    "limit",
    [
        {"keep_cache_bytes": 1, "keep_cache_days": 0},
        {"keep_cache_days": 1e-9, "keep_cache_bytes": 0},
    ],
    ids=["size", "age"],
)
async def test_beyond_its_limit_the_cache_goes_and_is_told(
    docker: DockerEngine, limit: dict[str, float], caplog: pytest.LogCaptureFixture
) -> None:
    text = uuid4().hex
    await is_cached(docker, text)
    assert await is_cached(docker, text)
    with caplog.at_level("INFO"):
        await engine_cache.trim(services(docker, **limit))
    assert "of the engine's build cache" in caplog.text
    assert not await is_cached(docker, text)
    # Within the hour, no worker of this engine does it again.
    await engine_cache.trim(services(docker, **limit, worker_name="another"))
    assert await is_cached(docker, text)


@pytest.mark.parametrize("limit", [{}, {"keep_cache_bytes": 0, "keep_cache_days": 0}])
async def test_within_its_limits_or_without_any_it_stays(
    docker: DockerEngine, limit: dict[str, int]
) -> None:
    text = uuid4().hex
    await is_cached(docker, text)
    await engine_cache.trim(services(docker, **limit))
    assert await is_cached(docker, text)


async def test_an_engine_without_such_a_cache_is_left_alone(podman: DockerEngine) -> None:
    await engine_cache.trim(services(podman))
