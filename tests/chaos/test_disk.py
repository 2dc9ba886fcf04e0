"""Disks that are full, for real: small file systems of their own."""

import asyncio
import os
import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.chaos.arena import Arena, arena, dockerfile, ended_well, new_name
from tests.chaos.builds import create, held_in, said
from tests.chaos.disk import Disk, disk
from tests.fixtures.docker import PushBusybox
from tests.fixtures.service import Client, client_of

CREATE = """mutation($input: CreateImageFromDockerfileInput!) {
  createImageFromDockerfile(input: $input) { __typename ... on Error { message } } }"""


@pytest.fixture
def small_disk(tmp_path: Path) -> Iterator[Disk]:
    if os.geteuid() != 0:
        pytest.skip("mounting a file system needs root")
    try:
        mounted = disk(tmp_path / "darkroom", 64 << 20)
        with mounted as found:
            yield found
    except subprocess.CalledProcessError as error:
        pytest.skip(f"no file system can be mounted here: {error.stderr.decode().strip()}")


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
                    given = {"name": new_name(), "dockerfile": text}
                    refused = await user.execute(CREATE, input=given)
                    (error,) = refused["errors"]
                    assert error["message"].startswith("Darkroom itself failed. Ask an admin")
            await ended_well(ring, user, created)
            await ended_well(ring, user, before)
            after = await create(ring, user, seconds=0)
            assert (await ended_well(ring, user, after))["attempt"] == 1


async def test_a_full_work_folder_costs_tries_until_there_is_room(
    ring: Arena, user: Client, small_disk: Disk
) -> None:
    with ring.worker(DATA_DIR=str(small_disk.path), BUILD_ATTEMPTS="20"):
        with small_disk.full():
            created = await create(ring, user, seconds=0)
            await said(user, created["build"]["id"], "Ask an administrator to make room on it.")
        build = await ended_well(ring, user, created)
        assert build["attempt"] > 1
