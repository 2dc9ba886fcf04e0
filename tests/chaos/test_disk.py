"""Disks that are full, for real: small file systems of their own."""

import asyncio
import contextlib
import os
import secrets
import subprocess
import tempfile
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest

from engine.docker.build import build
from engine.docker.client import DockerEngine
from engine.errors import BuildFailed
from models.enums import Blame
from server.local.engine import local_engine
from tests.chaos.arena import Arena, arena, dockerfile, ended_well, new_name
from tests.chaos.builds import create, held_in, said
from tests.chaos.disk import Disk, disk
from tests.fixtures.database import postgres_server
from tests.fixtures.docker import PushBusybox, context
from tests.fixtures.service import Client, client_of
from tests.service.quiet import quiet_server

UPDATE = """mutation($id: ID!, $description: String) {
  updateImage(id: $id, input: {description: $description}) {
    __typename ... on Error { message } } }"""
ENGINE_FULL = "The engine's disk is full. Ask an administrator to make room on it."
FULL = "The database's disk is full. Ask an administrator to make room on it, and try again."


@pytest.fixture
def small_disk(tmp_path: Path) -> Iterator[Disk]:
    with _mounted(tmp_path / "darkroom", 64 << 20) as found:
        yield found


@contextlib.contextmanager
def _mounted(path: Path, size: int) -> Iterator[Disk]:
    if os.geteuid() != 0:
        pytest.skip("mounting a file system needs root")
    with contextlib.ExitStack() as stack:
        try:
            found = stack.enter_context(disk(path, size))
        except subprocess.CalledProcessError as error:
            pytest.skip(f"no file system can be mounted here: {error.stderr.decode().strip()}")
        yield found


@dataclass
class Kept:
    """A database of its own on a disk of its own."""

    disk: Disk
    url: str


@contextlib.contextmanager
def _kept(kind: str) -> Iterator[Kept]:
    # PostgreSQL's user may not enter pytest's folders.
    with _mounted(Path(tempfile.mkdtemp(prefix="darkroom-disk-")), 256 << 20) as found:
        if kind == "sqlite":
            yield Kept(found, f"sqlite://{found.path / 'darkroom.sqlite3'}")
            return
        with postgres_server(found.path) as postgres:
            yield Kept(found, postgres.database())


@pytest.mark.parametrize("kind", ["sqlite", "postgres"])
async def test_a_full_database_refuses_and_changes_nothing(kind: str, tmp_path: Path) -> None:
    with (
        _kept(kind) as kept,
        quiet_server(tmp_path / "server", DATABASE_URL=kept.url) as server,
    ):
        async with client_of(server.url) as user:
            before = await user.create("Dockerfile", name=new_name(), dockerfile="FROM scratch")
            await user.finished(before)
            id_ = before["image"]["id"]
            # More than there is room for in any page that the database has already.
            given = {
                "name": new_name(),
                "dockerfile": f"FROM scratch\n# {secrets.token_hex(200_000)}",
            }
            text = secrets.token_hex(4_000)
            with kept.disk.full():
                refused = await user.create("Dockerfile", **given)
                unchanged = await user.ask(UPDATE, id=id_, description=text)
                found = await user.image(id_)
            for answer in (refused, unchanged):
                assert answer == {"__typename": "UnavailableError", "message": FULL}
            assert found == await user.image(id_)
            assert found["description"] == ""
            assert await user.ask("{ images { totalCount } }") == {"totalCount": 1}
            # Under the same name, for nothing was kept of the first.
            assert (await user.create("Dockerfile", **given))["image"]["name"] == given["name"]
            changed = await user.ask(UPDATE, id=id_, description=text)
            assert changed["__typename"] == "UpdateImagePayload"
            assert "Traceback" not in server.log.read_text()


async def test_a_database_that_is_away_is_named_with_the_remedy(tmp_path: Path) -> None:
    with (
        postgres_server() as postgres,
        quiet_server(tmp_path / "server", DATABASE_URL=postgres.database()) as server,
    ):
        async with client_of(server.url) as user:
            postgres.program.stop()
            asked, refused = await asyncio.gather(
                user.execute("{ images { totalCount } }"),
                user.create("Dockerfile", name=new_name(), dockerfile="FROM scratch"),
            )
    (error,) = asked["errors"]
    for message in (error["message"], refused["message"]):
        assert message.startswith("The database does not answer. Try again in a minute;")
    assert refused["__typename"] == "UnavailableError"


async def test_a_full_data_folder_delays_and_breaks_nothing(
    small_disk: Disk, tmp_path: Path, docker_engine: str, busybox: PushBusybox
) -> None:
    """Database, blobs and work of a server that builds by itself."""
    settings = {"ENGINE_URL": docker_engine, "LEASE_SECONDS": "2", "BUILD_ATTEMPTS": "20"}
    with arena(tmp_path, settings) as ring:
        ring.base = (await busybox(ring.registry_host)).reference
        server = ring.fleet.server
        async with client_of(server.url) as user:
            before = await create(ring, user, seconds=0)
            await ended_well(ring, user, before)
            async with held_in("building", ring, user, seconds=1) as created:
                with small_disk.full():
                    while "disk is full" not in server.log.read_text():  # noqa: ASYNC110  # it tells nobody
                        await asyncio.sleep(0.05)
                    # It answers all the while, and what it cannot keep it refuses.
                    assert (await user.image(before["image"]["id"]))["status"] == "READY"
                    text = dockerfile(ring.base, 0)
                    refused = await user.create("Dockerfile", name=new_name(), dockerfile=text)
                    assert refused == {"__typename": "UnavailableError", "message": FULL}
            await ended_well(ring, user, created)
            await ended_well(ring, user, before)
            after = await create(ring, user, seconds=0)
            assert (await ended_well(ring, user, after))["attempt"] == 1


async def test_an_engine_whose_disk_is_full_is_to_blame(
    ring: Arena, user: Client, tmp_path: Path
) -> None:
    with (
        _mounted(tmp_path / "engine", 256 << 20) as found,
        # Not the mount itself, for an engine undoes what is mounted where it keeps its data.
        local_engine(found.path / "data") as url,
        ring.worker(ENGINE_URL=url, BUILD_ATTEMPTS="20"),
    ):
        with found.full():
            created = await create(ring, user, seconds=0)
            await said(user, created["build"]["id"], f"INTERNAL: {ENGINE_FULL}")
        assert (await ended_well(ring, user, created))["attempt"] > 1

        async with DockerEngine(url) as engine:
            text = f"FROM {ring.base}\nRUN dd if=/dev/zero of=/large bs=1M count=500\n"
            with pytest.raises(BuildFailed, match=ENGINE_FULL) as caught:
                async for _ in build(engine, context({"Dockerfile": text})):
                    pass
        assert caught.value.blame is Blame.SYSTEM
        again = await create(ring, user, seconds=0)
        assert (await ended_well(ring, user, again))["attempt"] == 1


async def test_a_full_work_folder_costs_tries_until_there_is_room(
    ring: Arena, user: Client, small_disk: Disk
) -> None:
    with ring.worker(DATA_DIR=str(small_disk.path), BUILD_ATTEMPTS="20"):
        with small_disk.full():
            created = await create(ring, user, seconds=0)
            await said(user, created["build"]["id"], "Ask an administrator to make room on it.")
        build = await ended_well(ring, user, created)
        assert build["attempt"] > 1
