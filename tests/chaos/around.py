"""What Darkroom relies on, each a server of a run's own that can be broken."""

import contextlib
import json
import os
import secrets
from collections.abc import AsyncIterator, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from urllib.parse import urlsplit
from uuid import uuid4

import asyncpg  # type: ignore[import-untyped]  # it ships no types

from server.local.process import free_port
from server.local.registry import Htpasswd, registry_config
from tests.chaos.brokers import NAMES, Broker, brokers
from tests.chaos.disk import Disk, disk
from tests.fixtures.blobs import s3_server
from tests.fixtures.database import Postgres, postgres_server
from tests.fixtures.git import GitServer, serve
from tests.fixtures.registry import HTPASSWD, OWNER
from tests.servers.network import Network
from tests.servers.program import Program, listens

LEASE = 4.0


@dataclass
class Around:
    """Servers, their disks, and the networks to them."""

    folder: Path
    known: dict[str, str]
    """Secrets, which may be nowhere, by what they are for."""
    postgres: Postgres
    database: str
    database_disk: Disk
    brokers: Mapping[str, Broker]
    broker: Broker
    """The one that is used now."""
    blob_url: str
    registry: Program
    registry_disk: Disk
    networks: Mapping[str, Network]
    git: GitServer

    @property
    def registry_host(self) -> str:
        """What images are called by."""
        return f"127.0.0.1:{self.networks['registry'].port}"

    def rows(self) -> contextlib.AbstractAsyncContextManager[asyncpg.Connection]:
        """The database itself, past every network."""
        return _connected(self.postgres.url(self.database))

    def settings(self, network: str) -> dict[str, str]:
        """What a process is told that reaches the database by this network."""
        password, port = self.known["password of the database"], self.networks[network].port
        blobs = f":{self.networks['blobs'].port}"
        return {
            **self.broker.settings,
            "DATABASE_URL": f"postgres://postgres:{password}@127.0.0.1:{port}/{self.database}",
            "BLOB_URL": self.blob_url.replace(f":{_s3_port(self.blob_url)}", blobs),
            "REGISTRY": self.registry_host,
            "REGISTRY_USERNAME": OWNER.username,
            "REGISTRY_PASSWORD": self.known["password of the registry"],
            "SECRET_KEY": self.known["key that seals tokens"],
            "AUTH": "jwt",
            "JWT_SECRET": self.known["secret that signs users' tokens"],
            "GIT_ALLOW_LOOPBACK": "true",
            "LEASE_SECONDS": str(LEASE),
            "GRACE_SECONDS": "3",
            "RETRY_SECONDS": "0.2",
            "BUILD_ATTEMPTS": "20",
            "LOG_FORMAT": "json",
        }


@contextlib.contextmanager
def around(folder: Path) -> Iterator[Around]:
    """Start all of it; it ends with the block, whatever was done to it."""
    known = _secrets()
    os.environ["AWS_ACCESS_KEY_ID"] = "chaos"
    os.environ["AWS_SECRET_ACCESS_KEY"] = known["secret key of the blob store"]
    with contextlib.ExitStack() as stack:
        enter = stack.enter_context
        database_disk = enter(disk(folder.with_name(f"{folder.name}-database")))
        postgres = enter(postgres_server(database_disk.path))
        found = enter(brokers(folder / "brokers"))
        s3 = enter(s3_server(folder / "s3.log"))
        registry_disk = enter(disk(folder / "registry"))
        registry, registry_port = enter(_registry(registry_disk.path, folder / "registry.log"))
        networks = {
            "servers' database": enter(Network(postgres.port).running()),
            "workers' database": enter(Network(postgres.port).running()),
            "blobs": enter(Network(_s3_port(s3.url)).running()),
            "registry": enter(Network(registry_port).running()),
        }
        yield Around(
            folder=folder,
            known=known,
            postgres=postgres,
            database=postgres.database().rpartition("/")[2],
            database_disk=database_disk,
            brokers=found,
            broker=found[NAMES[0]],
            blob_url=s3.url.replace("some/prefix", uuid4().hex),
            registry=registry,
            registry_disk=registry_disk,
            networks=networks,
            git=enter(_git(folder)),
        )


def _secrets() -> dict[str, str]:
    return {
        "key that seals tokens": secrets.token_urlsafe(32),
        "secret that signs users' tokens": secrets.token_urlsafe(32),
        "password of the database": secrets.token_urlsafe(16),
        "secret key of the blob store": secrets.token_urlsafe(16),
        "password of the registry": OWNER.password,
        "token of the git server": GitServer.token,
    }


@contextlib.contextmanager
def _registry(folder: Path, log: Path) -> Iterator[tuple[Program, int]]:
    """A registry whose one login goes by Basic, and everything of which is on one disk."""
    logins = folder / "htpasswd"
    logins.write_text(HTPASSWD)
    port = free_port()
    config = folder / "registry.yml"
    config.write_text(json.dumps(registry_config(folder, f"127.0.0.1:{port}", Htpasswd(logins))))
    command = ["docker-registry", "serve", str(config)]
    with Program(command, log, listens(port)).running() as program:
        yield program, port


@contextlib.contextmanager
def _git(folder: Path) -> Iterator[GitServer]:
    repositories = folder / "git"
    repositories.mkdir()
    with serve(repositories, folder / "git-requests.txt") as found:
        yield found


def _s3_port(url: str) -> int:
    return urlsplit(url.partition("endpoint=")[2]).port or 0


@contextlib.asynccontextmanager
async def _connected(url: str) -> AsyncIterator[asyncpg.Connection]:
    connection = await asyncpg.connect(url)
    try:
        yield connection
    finally:
        await connection.close()
