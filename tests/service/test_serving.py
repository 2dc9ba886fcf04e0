"""Starting, being ready, failing in order and stopping, as an operator sees it."""

import asyncio
import contextlib
import os
import signal
import sqlite3
import subprocess
import sys
import time
import urllib.request
from collections.abc import Iterator
from pathlib import Path

import pytest

from server.local.process import free_port, running
from server.local.registry import local_registry
from tests.engine.building import until
from tests.fixtures.service import ROOT, Client, Server, client_of, serving
from tests.service.logs import by_sse
from tests.service.quiet import NOTHING, quiet_server
from tests.service.test_dockerfile import new_name

COMMAND = [sys.executable, "-m", "server"]


def darkroom(*arguments: str, **settings: str) -> subprocess.CompletedProcess[str]:
    """Run a command of `darkroom` to its end."""
    named = {f"DARKROOM_{name}": value for name, value in settings.items()}
    env = {**os.environ, "PYTHONPATH": str(ROOT), **named}
    return subprocess.run(
        [*COMMAND, *arguments], env=env, capture_output=True, text=True, timeout=60, check=False
    )


@pytest.fixture(scope="module")
def quiet(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    with quiet_server(tmp_path_factory.mktemp("quiet")) as server:
        yield server


# The command


def test_help_names_every_command() -> None:
    shown = darkroom("--help").stdout
    for command in ("serve", "worker", "migrate", "demo"):
        assert f"  {command} " in shown
        done = darkroom(command, "--help")
        assert done.returncode == 0
        assert done.stdout.startswith(f"Usage: darkroom {command}")
    assert "--host" in darkroom("serve", "--help").stdout


def test_migrate_says_what_it_did(tmp_path: Path) -> None:
    for _ in range(2):
        done = darkroom("migrate", DATA_DIR=str(tmp_path / "data"))
        assert (done.returncode, done.stdout) == (0, "The database is up to date.\n"), done.stderr
    assert (tmp_path / "data" / "darkroom.sqlite3").exists()


WRONG = {
    "REGISTRY": "https://registry.example.com",
    "LOG_BYTES": "many",
    "BUILD_SECONDS": "-1",
    "BROKER_URL": "kafka://example.com",
    "ENGINE_URL": "/var/run/docker.sock",
    "DATABASE_URL": "postgres://ada:hunter22@127.0.0.1:1/darkroom",
    "BLOB_URL": "file:///proc/nowhere",
    "SECRET_KEY": "hunter22",
    "DATA_DIR": "/proc/nowhere",
}


@pytest.mark.parametrize("name", WRONG)
def test_a_wrong_setting_stops_the_start_with_one_line(name: str, tmp_path: Path) -> None:
    done = darkroom("serve", "--port", "0", **{"DATA_DIR": str(tmp_path), name: WRONG[name]})
    assert done.returncode == 1
    (line,) = done.stderr.splitlines()
    assert line.startswith(f"Error: DARKROOM_{name} cannot be used: ")
    assert "hunter22" not in line


def test_a_worker_without_a_broker_says_what_to_do(tmp_path: Path) -> None:
    done = darkroom("worker", DATA_DIR=str(tmp_path))
    assert done.returncode == 1
    assert "redis://" in done.stderr


def test_a_port_that_is_taken_is_named(quiet: Server, tmp_path: Path) -> None:
    done = darkroom("serve", "--port", str(quiet.port), **NOTHING, DATA_DIR=str(tmp_path))
    assert done.returncode != 0
    assert f"{quiet.port}" in done.stderr
    assert "already in use" in done.stderr
    assert "Traceback" not in done.stderr
    assert darkroom("serve", "--port", "99999").returncode == 2


@pytest.mark.parametrize(("host", "warns"), [("0.0.0.0", True), ("localhost", False)])  # noqa: S104
def test_listening_to_everybody_is_warned_of(host: str, warns: bool, tmp_path: Path) -> None:
    port, log = free_port(), tmp_path / "log"
    settings = {**NOTHING, "DATA_DIR": str(tmp_path / "data")}
    env = {**os.environ, "PYTHONPATH": str(ROOT)}
    env |= {f"DARKROOM_{name}": value for name, value in settings.items()}
    command = [*COMMAND, "serve", "--host", host, "--port", str(port)]
    with running(command, log=log, ready=lambda: answers(port), env=env):
        lines = log.read_text().splitlines()
    said = [line for line in lines if "everybody who reaches this address" in line]
    assert ["WARNING" in line for line in said] == ([True] if warns else [])


def answers(port: int) -> bool:
    address = f"http://127.0.0.1:{port}/healthz"
    with contextlib.suppress(OSError), urllib.request.urlopen(address, timeout=1) as answer:
        return bool(answer.status == 200)
    return False


def test_loopback_alone_is_listened_on_unless_told_otherwise(quiet: Server) -> None:
    sockets = Path(f"/proc/{quiet.process.pid}/net/tcp").read_text()
    listening = [line.split()[1] for line in sockets.splitlines() if f":{quiet.port:04X} " in line]
    assert "0100007F" in {address.split(":")[0] for address in listening}
    assert "00000000" not in {address.split(":")[0] for address in listening}


# Health


async def test_readiness_names_the_part_that_is_missing(docker_engine: str, tmp_path: Path) -> None:
    async def ask(client: Client, path: str) -> tuple[int, str]:
        async with client.session.get(f"{client.url}{path}") as answer:
            return answer.status, await answer.text()

    with contextlib.ExitStack() as stack:
        registry = stack.enter_context(local_registry(tmp_path / "registry"))
        settings = {"ENGINE_URL": docker_engine, "REGISTRY": registry.host}
        with serving(tmp_path / "data", settings) as server:
            async with client_of(server.url) as client:
                assert await ask(client, "/healthz") == (200, "ok\n")
                status, text = await ask(client, "/readyz")
                assert status == 200, text
                await asyncio.to_thread(stack.close)
                async with client.session.get(f"{client.url}/readyz") as answer:
                    found = await answer.json()
                    assert answer.status == 503
                assert not found["ready"]
                assert {part for part, state in found["parts"].items() if state != "ok"} == {
                    "registry"
                }
                assert registry.host in found["parts"]["registry"]
                assert await ask(client, "/healthz") == (200, "ok\n")


async def test_graphiql_is_there(quiet: Server) -> None:
    async with client_of(quiet.url) as client, client.session.get(f"{client.url}/") as answer:
        assert answer.status == 200
        assert answer.url.path == "/graphiql"
        assert answer.content_type == "text/html"
        assert "graphiql" in await answer.text()


# Stopping


async def test_a_stop_ends_open_streams_within_the_grace(tmp_path: Path) -> None:
    with quiet_server(tmp_path / "data", GRACE_SECONDS="1") as server:
        async with client_of(server.url) as client:
            query = "subscription { imageChanged { id } }"
            readers = [
                asyncio.create_task(anext(client.subscribe(query))),
                asyncio.create_task(anext(by_sse(client, query))),
            ]
            await until(lambda: connections(server) >= len(readers), 10)
            began = time.monotonic()
            code = await asyncio.to_thread(server.stop)
            took = time.monotonic() - began
            await asyncio.gather(*readers, return_exceptions=True)
    assert code == 0
    assert took < 6
    assert all(reader.done() and reader.exception() for reader in readers)
    assert "Traceback" not in server.log.read_text()


def connections(server: Server) -> int:
    """How many connections the server has now."""
    sockets = Path(f"/proc/{server.process.pid}/net/tcp").read_text().splitlines()
    fields = [line.split() for line in sockets]
    established = "01"
    return sum(
        local.endswith(f":{server.port:04X}") and state == established
        for _, local, _, state, *_ in fields
    )


def test_ctrl_c_is_a_good_end_too(tmp_path: Path) -> None:
    with quiet_server(tmp_path / "data") as server:
        server.process.send_signal(signal.SIGINT)
        assert server.process.wait(3) == 0  # it has nothing to wait for
    assert "Traceback" not in server.log.read_text()


# What breaks inside


async def test_what_breaks_inside_is_logged_and_not_told(tmp_path: Path) -> None:
    with quiet_server(tmp_path / "data") as server:
        async with client_of(server.url) as client:
            text = "FROM scratch\nLABEL a=b\n"
            created = await client.create("Dockerfile", name=new_name(), dockerfile=text)
            await client.finished(created)
            with contextlib.closing(sqlite3.connect(server.data / "darkroom.sqlite3")) as database:
                database.execute("ALTER TABLE image RENAME TO hidden")
            answers = [
                await client.execute("{ images { totalCount nodes { id } } }"),
                await client.execute(
                    "mutation($id: ID!) { deleteImage(id: $id) { __typename } }",
                    id=created["image"]["id"],
                ),
            ]
            async with client.session.get(created["build"]["logUrl"]) as answer:
                assert answer.status == 500
                page = await answer.text()
            async with client.session.get(f"{client.url}/readyz") as answer:
                assert answer.status == 503
                assert (await answer.json())["parts"]["database"] != "ok"
    for found in answers:
        (error,) = found["errors"]
        assert error["message"].startswith("Darkroom itself failed.")
        assert error.keys() <= {"message", "path", "locations"}
    for told in (page, str(answers)):
        assert "hidden" not in told
        assert "Traceback" not in told
        assert "no such table" not in told
    assert "no such table" in server.log.read_text()


async def test_a_callers_mistakes_are_told_and_not_logged(quiet: Server) -> None:
    before = len(quiet.log.read_text())
    async with client_of(quiet.url) as client:
        unknown = await client.execute("{ nothing }")
        assert "nothing" in unknown["errors"][0]["message"]
        syntax = await client.execute("{")
        assert "Syntax Error" in syntax["errors"][0]["message"]
        async with client.session.post(
            f"{client.url}/graphql", data=b"{", headers={"Content-Type": "application/json"}
        ) as answer:
            assert answer.status == 400
        once = await client.execute("subscription { imageChanged { id } }")
        assert "text/event-stream" in once["errors"][0]["message"]
    assert "ERROR" not in quiet.log.read_text()[before:]
