"""Every part of the second column in turn: a server, and a worker in another process."""

import asyncio
import json
import os
import sys
from collections.abc import AsyncIterator, Iterator
from dataclasses import dataclass
from pathlib import Path
from uuid import uuid4

import pytest

from server.local.process import free_port
from tests.fixtures.brokers import BrokerServer
from tests.fixtures.columns import Fleet, fleet
from tests.fixtures.database import Postgres
from tests.fixtures.registry import RegistryServer
from tests.fixtures.service import ROOT, Client, client_of
from tests.service.test_dockerfile import inspect, new_name
from tests.service.test_watching import get, value


@dataclass(frozen=True, slots=True)
class Column:
    """What each part of Darkroom is, in one arrangement."""

    broker: str
    notify: str
    blobs: str
    database: str = "postgres"


COLUMNS = {
    "postgres-redis-s3": Column("redis", "postgres", "s3"),
    "postgres-rabbitmq-folder": Column("rabbitmq", "postgres", "folder"),
    "postgres-rabbitmq-redis": Column("rabbitmq", "redis", "s3"),
    "sqlite-redis-folder": Column("redis", "redis", "folder", "sqlite"),
}


@pytest.fixture(params=list(COLUMNS))
def outgrown(
    request: pytest.FixtureRequest,
    tmp_path_factory: pytest.TempPathFactory,
    docker_engine: str,
    registry: RegistryServer,
) -> Iterator[Fleet]:
    """A server without a worker, on one arrangement of servers."""
    column = COLUMNS[request.param]
    settings = {
        "ENGINE_URL": docker_engine,
        "REGISTRY": registry.host,
        "BROKER_URL": _broker(request, column.broker),
        "RETRY_SECONDS": "0.2",
    }
    if column.database == "postgres":
        postgres: Postgres = request.getfixturevalue("postgres")
        settings["DATABASE_URL"] = postgres.database()
    if column.notify == "redis":
        settings["NOTIFY_URL"] = _broker(request, "redis")
    if column.blobs == "s3":
        settings["BLOB_URL"] = f"{request.getfixturevalue('s3_url')}".replace(
            "some/prefix", uuid4().hex
        )
    with fleet(tmp_path_factory.mktemp("fleet"), settings) as found:
        yield found


def _broker(request: pytest.FixtureRequest, name: str) -> str:
    broker: BrokerServer = request.getfixturevalue(name)
    return broker.url


@pytest.fixture
async def outside(outgrown: Fleet) -> AsyncIterator[Client]:
    async with client_of(outgrown.server.url) as client:
        yield client


async def test_a_build_runs_in_another_process_and_its_log_is_live(
    outgrown: Fleet, outside: Client, base: str
) -> None:
    unique = uuid4().hex  # or the engine would take the step from its cache
    dockerfile = f"FROM {base}\nRUN echo {unique} first; sleep 1; echo last\n"
    created = await outside.create("Dockerfile", name=new_name(), dockerfile=dockerfile)
    port = free_port()
    outgrown.worker("one", WORKER_PORT=str(port))

    lines: list[str] = []
    seen_while_running = False
    async for event in outside.follow(created["build"]["id"]):
        if "text" in event:
            assert event["firstLine"] == len(lines) + 1
            lines += event["text"].split("\n")
            if event["text"].endswith(f"{unique} first"):
                now = await outside.build(created["build"]["id"])
                seen_while_running = now["status"] == "BUILDING"
    assert seen_while_running
    assert lines.index(f"{unique} first") < lines.index("last")

    build = await outside.build(created["build"]["id"])
    assert build["status"] == "SUCCEEDED", lines
    assert build["lineCount"] == len(lines)
    image = await outside.image(created["image"]["id"])
    assert inspect(image["reference"])["Digest"] == image["digest"] == build["digest"]
    assert (await outside.log(build["id"])).split("\n") == lines

    _, ready, _ = await get(f"{outgrown.server.url}/readyz")
    assert json.loads(ready)["ready"]
    _, counted, _ = await get(f"http://127.0.0.1:{port}/metrics")
    ended = 'darkroom_builds_ended_total{blame="",code="",status="SUCCEEDED"}'
    assert value(counted, ended) == 1
    assert value(counted, "darkroom_log_lines_total") == len(lines)


async def test_processes_that_start_together_migrate_once(
    postgres: Postgres, tmp_path: Path
) -> None:
    env = os.environ | {
        "PYTHONPATH": str(ROOT),
        "DARKROOM_DATABASE_URL": postgres.database(),
        "DARKROOM_DATA_DIR": str(tmp_path),
    }
    command = [sys.executable, "-m", "server", "migrate"]
    starting = [
        await asyncio.create_subprocess_exec(*command, env=env, stderr=asyncio.subprocess.PIPE)
        for _ in range(6)
    ]
    ended = await asyncio.gather(*(process.communicate() for process in starting))
    assert [process.returncode for process in starting] == [0] * 6, ended
