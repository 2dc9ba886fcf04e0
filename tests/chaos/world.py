"""Everything that runs while it is broken: two servers, three workers, and what they rely on."""

import asyncio
import contextlib
import os
import random
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

import aiohttp

from engine.docker.client import DockerEngine
from tests.chaos.around import Around, around
from tests.chaos.disk import disk
from tests.chaos.leaks import Leaks
from tests.chaos.machines import Engine, ServerMachine, WorkerMachine, running
from tests.fixtures.docker import BASE, have_base
from tests.fixtures.registry import OWNER
from tests.fixtures.service import Client
from tests.service.tokens import bearer

SERVERS, WORKERS = 2, 3
ANSWER_SECONDS = 20
"""Longer, and a client asks again, of any server."""


@dataclass
class World(Around):
    """What runs, and where it can be broken."""

    servers: Sequence[ServerMachine]
    workers: Sequence[WorkerMachine]
    engines: Sequence[Engine]
    headers: dict[str, str]
    leaks: Leaks
    session: aiohttp.ClientSession | None = None
    base: str = ""

    @property
    def machines(self) -> list[ServerMachine | WorkerMachine]:
        """Whatever runs Darkroom."""
        return [*self.servers, *self.workers]

    def client(self, dice: random.Random) -> Client:
        """A user at one of the servers."""
        assert self.session
        return Client(self.session, dice.choice(self.servers).url, self.headers)

    async def use(self, name: str) -> None:
        """Let every machine use this broker from now on."""
        if self.broker is self.brokers[name]:
            return
        self.broker = self.brokers[name]
        for machine in self.machines:
            machine.settings = {**machine.settings, **self.broker.settings}
        await asyncio.gather(*(asyncio.to_thread(machine.restart) for machine in self.machines))

    async def digest(self, name: str, version: str | None = None) -> str | None:
        """What the registry has of an image: under its tag, or under a digest."""
        assert self.session
        repository, tag = name.lstrip("/").split(":")
        kinds = (
            "application/vnd.docker.distribution.manifest.v2+json",
            "application/vnd.oci.image.manifest.v1+json",
        )
        url = f"http://{self.registry_host}/v2/{repository}/manifests/{version or tag}"
        login = aiohttp.BasicAuth(OWNER.username, OWNER.password)
        accept = {"Accept": ",".join(kinds)}
        async with self.session.head(url, headers=accept, auth=login) as answer:
            return answer.headers.get("Docker-Content-Digest")


@contextlib.contextmanager
def world(folder: Path) -> Iterator[World]:
    """Start everything; it ends with the block, whatever was done to it."""
    with contextlib.ExitStack() as stack:
        enter = stack.enter_context
        found = enter(around(folder))
        headers = bearer(key=found.known["secret that signs users' tokens"])
        found.known["user's own token"] = headers["Authorization"].removeprefix("Bearer ")
        engines = enter(_engines(folder))
        yield World(
            **vars(found),
            servers=enter(_servers(found)),
            workers=enter(_workers(found, engines)),
            engines=engines,
            headers=headers,
            leaks=Leaks(found.known),
        )


@contextlib.contextmanager
def _engines(folder: Path) -> Iterator[list[Engine]]:
    # Three engines are too many for two processors.
    number = min(WORKERS, os.cpu_count() or 1)
    with contextlib.ExitStack() as stack:
        disks = [stack.enter_context(disk(folder / f"engine{n}", 4 << 30)) for n in range(number)]
        # Not the mount itself, for an engine undoes what is mounted where it keeps its data.
        engines = [Engine(mounted.path / "data") for mounted in disks]
        with running(engines):
            yield engines


@contextlib.contextmanager
def _servers(found: Around) -> Iterator[list[ServerMachine]]:
    settings = found.settings("servers' database")
    servers = [ServerMachine(found.folder / f"server{n}", settings) for n in range(SERVERS)]
    with running(servers):
        yield servers


@contextlib.contextmanager
def _workers(found: Around, engines: Sequence[Engine]) -> Iterator[list[WorkerMachine]]:
    settings = found.settings("workers' database")
    with contextlib.ExitStack() as stack:
        workers = []
        for number in range(WORKERS):
            own = stack.enter_context(disk(found.folder / f"machine{number}"))
            engine = engines[number % len(engines)]
            workers.append(WorkerMachine(number, engine, own, settings))
        with running(workers):
            yield workers


async def prepare(world: World) -> None:
    """A base image in the registry, a repository on the git server, and a witness of every state
    that a build was ever in."""
    for engine in world.engines:
        async with DockerEngine(engine.url) as docker:
            await have_base(docker)
    name = f"{world.registry_host}/library/busybox"
    async with DockerEngine(world.engines[0].url) as docker:
        await docker.tag(BASE, name, "1")
        await docker.push(name, "1", OWNER)
        await docker.remove_image(f"{name}:1")
    world.base = f"{name}:1"
    async with world.rows() as rows:
        await rows.execute(_WITNESS)


_WITNESS = """
CREATE TABLE witness (build_id bigint, before text, after text, at timestamptz DEFAULT now());
CREATE FUNCTION witness() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
  INSERT INTO witness VALUES (NEW.id, OLD.status, NEW.status);
  RETURN NEW;
END $$;
CREATE TRIGGER witness AFTER UPDATE ON build FOR EACH ROW
  WHEN (OLD.status IS DISTINCT FROM NEW.status) EXECUTE FUNCTION witness();
"""
