"""Everything that runs while it is broken: two servers, three workers, and what they rely on."""

import contextlib
import json
import os
import random
import secrets
from collections.abc import AsyncIterator, Iterator
from dataclasses import dataclass
from pathlib import Path
from urllib.parse import urlsplit
from uuid import uuid4

import aiohttp
import asyncpg  # type: ignore[import-untyped]  # it ships no types

from engine.docker.client import DockerEngine
from server.local.process import free_port
from server.local.registry import Htpasswd, registry_config
from tests.chaos.disk import Disk, disk
from tests.chaos.leaks import Leaks
from tests.chaos.machines import Engine, ServerMachine, WorkerMachine
from tests.fixtures.blobs import s3_server
from tests.fixtures.brokers import BrokerServer, redis_server
from tests.fixtures.database import Postgres, postgres_server
from tests.fixtures.docker import BASE, have_base
from tests.fixtures.git import GitServer, serve
from tests.fixtures.registry import HTPASSWD, OWNER
from tests.fixtures.service import Client
from tests.servers.network import Network
from tests.servers.program import Program, listens
from tests.service.tokens import bearer

LEASE = 4.0
SERVERS, WORKERS = 2, 3
ANSWER_SECONDS = 20
"""Longer, and a client asks again, of any server."""


@dataclass
class World:
    """What runs, and where it can be broken."""

    folder: Path
    servers: list[ServerMachine]
    workers: list[WorkerMachine]
    engines: list[Engine]
    postgres: Postgres
    database_disk: Disk
    redis: BrokerServer
    registry: Program
    registry_disk: Disk
    registry_host: str
    networks: dict[str, Network]
    git: GitServer
    blob_url: str
    database: str
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

    def rows(self) -> contextlib.AbstractAsyncContextManager[asyncpg.Connection]:
        """The database itself, past every network."""
        return _connected(self.postgres.url(self.database))

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


@contextlib.asynccontextmanager
async def _connected(url: str) -> AsyncIterator[asyncpg.Connection]:
    connection = await asyncpg.connect(url)
    try:
        yield connection
    finally:
        await connection.close()


@contextlib.contextmanager
def world(folder: Path) -> Iterator[World]:
    """Start everything; it ends with the block, whatever was done to it."""
    known = _secrets()
    headers = bearer(key=known["secret that signs users' tokens"])
    known["user's own token"] = headers["Authorization"].removeprefix("Bearer ")
    os.environ["AWS_ACCESS_KEY_ID"] = "chaos"
    os.environ["AWS_SECRET_ACCESS_KEY"] = known["secret key of the blob store"]
    with contextlib.ExitStack() as stack:
        enter = stack.enter_context
        database_disk = enter(disk(folder.with_name(f"{folder.name}-database")))
        postgres = enter(postgres_server(database_disk.path))
        redis = enter(redis_server(folder))
        s3 = enter(s3_server(folder / "s3.log"))
        registry_disk = enter(disk(folder / "registry"))
        registry, registry_port = _registry(registry_disk.path, folder / "registry.log")
        enter(registry.running())
        git_folder = folder / "git"
        git_folder.mkdir()
        git = enter(serve(git_folder, folder / "git-requests.txt"))
        s3_port = urlsplit(s3.url.partition("endpoint=")[2]).port or 0
        networks = {
            "servers' database": enter(Network(postgres.port).running()),
            "workers' database": enter(Network(postgres.port).running()),
            "broker": enter(Network(urlsplit(redis.url).port or 0).running()),
            "blobs": enter(Network(s3_port).running()),
            "registry": enter(Network(registry_port).running()),
        }
        host = f"127.0.0.1:{networks['registry'].port}"
        database = postgres.database().rpartition("/")[2]
        blob_url = s3.url.replace("some/prefix", uuid4().hex)
        settings = _settings(known) | {
            "BROKER_URL": f"redis://127.0.0.1:{networks['broker'].port}/0",
            "BLOB_URL": blob_url.replace(f":{s3_port}", f":{networks['blobs'].port}"),
            "REGISTRY": host,
        }

        def through(network: str) -> dict[str, str]:
            password, port = known["password of the database"], networks[network].port
            url = f"postgres://postgres:{password}@127.0.0.1:{port}/{database}"
            return {**settings, "DATABASE_URL": url}

        # Three engines are too many for two processors.
        engines = [
            # Not the mount itself, for an engine undoes what is mounted where it keeps its data.
            Engine(enter(disk(folder / f"engine{number}", 4 << 30)).path / "data")
            for number in range(min(WORKERS, os.cpu_count() or 1))
        ]
        for engine in engines:
            engine.start()
            stack.callback(engine.stop)
        servers = [
            ServerMachine(folder / f"server{number}", through("servers' database"))
            for number in range(SERVERS)
        ]
        for server in servers:
            server.start()
            stack.callback(server.stop)
        workers = [
            WorkerMachine(
                number,
                engines[number % len(engines)],
                enter(disk(folder / f"machine{number}")),
                through("workers' database"),
            )
            for number in range(WORKERS)
        ]
        for machine in workers:
            machine.start()
            stack.callback(machine.stop)
        yield World(
            folder=folder,
            servers=servers,
            workers=workers,
            engines=engines,
            postgres=postgres,
            database_disk=database_disk,
            redis=redis,
            registry=registry,
            registry_disk=registry_disk,
            registry_host=host,
            networks=networks,
            git=git,
            blob_url=blob_url,
            database=database,
            headers=headers,
            leaks=Leaks(known),
        )


def _secrets() -> dict[str, str]:
    """What may be nowhere, by what it is for."""
    return {
        "key that seals tokens": secrets.token_urlsafe(32),
        "secret that signs users' tokens": secrets.token_urlsafe(32),
        "password of the database": secrets.token_urlsafe(16),
        "secret key of the blob store": secrets.token_urlsafe(16),
        "password of the registry": OWNER.password,
        "token of the git server": GitServer.token,
    }


def _settings(known: dict[str, str]) -> dict[str, str]:
    """What every process is told, wherever the servers are."""
    return {
        "REGISTRY_USERNAME": OWNER.username,
        "REGISTRY_PASSWORD": OWNER.password,
        "SECRET_KEY": known["key that seals tokens"],
        "AUTH": "jwt",
        "JWT_SECRET": known["secret that signs users' tokens"],
        "GIT_ALLOW_LOOPBACK": "true",
        "LEASE_SECONDS": str(LEASE),
        "GRACE_SECONDS": "3",
        "RETRY_SECONDS": "0.2",
        "BUILD_ATTEMPTS": "20",
        "LOG_FORMAT": "json",
    }


def _registry(folder: Path, log: Path) -> tuple[Program, int]:
    """A registry whose one login goes by Basic, and everything of which is on one disk."""
    logins = folder / "htpasswd"
    logins.write_text(HTPASSWD)
    port = free_port()
    config = folder / "registry.yml"
    config.write_text(json.dumps(registry_config(folder, f"127.0.0.1:{port}", Htpasswd(logins))))
    command = ["docker-registry", "serve", str(config)]
    return Program(command, log, listens(port)), port


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
