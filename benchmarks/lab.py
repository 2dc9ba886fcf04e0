"""The servers that are measured: an engine and a registry for the run, a Darkroom per benchmark."""

import contextlib
import tempfile
from collections.abc import AsyncIterator, Callable
from dataclasses import dataclass
from pathlib import Path

import asyncpg  # type: ignore[import-untyped]  # it ships no types

from engine.docker.client import DockerEngine
from engine.docker.info import EngineInfo
from server.local.engine import local_engine
from server.local.registry import local_registry
from tests.fixtures.brokers import BrokerServer, redis_server
from tests.fixtures.columns import Worker, fleet
from tests.fixtures.database import Postgres, postgres_server
from tests.fixtures.docker import BASE, have_base
from tests.fixtures.service import Client, Server, client_of, serving

REPOSITORY = "library/busybox"


@dataclass(frozen=True, slots=True)
class Darkroom:
    """A server process with an embedded worker and SQLite, and a user of it."""

    server: Server
    client: Client


@dataclass(frozen=True, slots=True)
class Fleet:
    """A server without a worker, its user, and what it shares with workers: their servers."""

    darkroom: Darkroom
    postgres: Postgres
    redis: BrokerServer
    worker: Callable[[str], Worker]
    """Starts another worker, of this name."""


@dataclass(frozen=True, slots=True)
class Lab:
    """Where a benchmark runs. `base` names the base image by tag, in the registry."""

    engine: str
    engine_info: EngineInfo
    registry: str
    base: str
    folder: Path

    @contextlib.asynccontextmanager
    async def darkroom(self, **more: str) -> AsyncIterator[Darkroom]:
        """A server of its own for one benchmark, on an empty database; `more` are settings."""
        data = Path(tempfile.mkdtemp(dir=self.folder, prefix="darkroom-"))
        settings = {"ENGINE_URL": self.engine, "REGISTRY": self.registry, **more}
        with serving(data, settings) as server:
            async with client_of(server.url) as client:
                yield Darkroom(server, client)

    @contextlib.asynccontextmanager
    async def fleet(self, prepare: str = "SELECT 1", **more: str) -> AsyncIterator[Fleet]:
        """A server on an empty PostgreSQL and a Redis, and workers as they are started.

        `prepare` is a statement for PostgreSQL before anybody else connects.
        """
        data = Path(tempfile.mkdtemp(dir=self.folder, prefix="fleet-"))
        with postgres_server() as postgres, redis_server(data) as redis:
            settings = {
                "ENGINE_URL": self.engine,
                "REGISTRY": self.registry,
                "DATABASE_URL": postgres.url(),
                "BROKER_URL": redis.url,
                **more,
            }
            await _execute(postgres, prepare)
            with fleet(data / "darkroom", settings) as found:
                async with client_of(found.server.url) as client:
                    darkroom = Darkroom(found.server, client)
                    yield Fleet(darkroom, postgres, redis, found.worker)


@contextlib.asynccontextmanager
async def opened() -> AsyncIterator[Lab]:
    """The lab until the block ends; nothing of it stays."""
    with contextlib.ExitStack() as stack:
        folder = Path(stack.enter_context(tempfile.TemporaryDirectory(prefix="darkroom-bench-")))
        engine = stack.enter_context(local_engine(folder / "docker"))
        registry = stack.enter_context(local_registry(folder / "registry")).host
        async with DockerEngine(engine) as docker:
            await have_base(docker)
            await docker.tag(BASE, f"{registry}/{REPOSITORY}", "1")
            await docker.push(f"{registry}/{REPOSITORY}", "1")
            info = await docker.info()
        yield Lab(engine, info, registry, f"{registry}/{REPOSITORY}:1", folder)


async def _execute(postgres: Postgres, statement: str) -> None:
    connection = await asyncpg.connect(postgres.url())
    try:
        await connection.execute(statement)
    finally:
        await connection.close()
