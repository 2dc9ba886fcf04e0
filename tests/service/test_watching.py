"""What operators see: metrics, readiness, and log lines that can be found."""

import json
import re
from collections.abc import Iterator
from pathlib import Path

import aiohttp
import pytest

from server.local.process import free_port
from tests.fixtures.registry import RegistryServer
from tests.fixtures.service import Client, Server, client_of, serving
from tests.service.quiet import quiet_server
from tests.service.test_dockerfile import new_name


async def get(url: str, **headers: str) -> tuple[int, str, dict[str, str]]:
    async with aiohttp.ClientSession() as session, session.get(url, headers=headers) as answer:
        return answer.status, await answer.text(), dict(answer.headers)


def value(metrics: str, name: str) -> float:
    found = re.search(rf"^{re.escape(name)} (\S+)$", metrics, re.MULTILINE)
    assert found, metrics
    return float(found[1])


async def test_metrics_count_what_happens(client: Client, server: Server, base: str) -> None:
    ended = 'darkroom_builds_ended_total{blame="",code="",status="SUCCEEDED"}'
    created = await client.create("Dockerfile", name=new_name(), dockerfile=f"FROM {base}\n")
    assert (await client.finished(created))["status"] == "SUCCEEDED"
    _, before, _ = await get(f"{server.url}/metrics")
    created = await client.create("Dockerfile", name=new_name(), dockerfile="FROM nowhere.test/x\n")
    failed = await client.finished(created)
    _, after, headers = await get(f"{server.url}/metrics")

    assert headers["Content-Type"].startswith("text/plain; version=")
    assert value(before, ended) >= 1
    code, blame = failed["failure"]["code"], failed["failure"]["blame"]
    failures = f'darkroom_builds_ended_total{{blame="{blame}",code="{code}",status="FAILED"}}'
    assert value(after, failures) >= 1
    assert value(after, "darkroom_log_lines_total") > value(before, "darkroom_log_lines_total")
    assert value(after, 'darkroom_build_phase_seconds_count{phase="pushing"}') >= 1
    assert value(after, 'darkroom_builds{status="QUEUED"}') == 0
    assert value(after, "darkroom_queue_age_seconds") == 0
    assert value(after, "darkroom_engine_seconds_count") >= 2
    assert value(after, 'darkroom_registry_seconds_count{method="GET"}') >= 1


@pytest.fixture(scope="module")
def quiet(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    with quiet_server(tmp_path_factory.mktemp("quiet"), LOG_FORMAT="json") as server:
        yield server


async def test_readiness_names_what_is_down(quiet: Server) -> None:
    status, text, _ = await get(f"{quiet.url}/readyz")
    parts = json.loads(text)["parts"]
    assert status == 503
    assert {name for name, state in parts.items() if state != "ok"} == {"engine", "registry"}
    assert {"database", "blobs", "broker"} <= parts.keys()


async def test_what_can_be_done_without_is_named_as_well(tmp_path: Path) -> None:
    with quiet_server(tmp_path / "data", NOTIFY_URL=f"redis://127.0.0.1:{free_port()}") as server:
        _, text, _ = await get(f"{server.url}/readyz")
    parts = json.loads(text)["parts"]
    assert "Notifications are late" in parts["notifications"]
    assert parts["broker"] == "ok"


async def test_an_answer_has_the_id_of_its_request(quiet: Server) -> None:
    _, _, headers = await get(f"{quiet.url}/healthz", **{"X-Request-ID": "from-the-proxy.1"})
    assert headers["X-Request-ID"] == "from-the-proxy.1"
    _, _, headers = await get(f"{quiet.url}/healthz", **{"X-Request-ID": "two words"})
    assert re.fullmatch("[0-9a-f]{16}", headers["X-Request-ID"])


async def test_log_lines_are_json_with_the_build(
    tmp_path_factory: pytest.TempPathFactory, docker_engine: str, registry: RegistryServer
) -> None:
    settings = {
        "ENGINE_URL": docker_engine,
        "REGISTRY": registry.host,
        "LOG_FORMAT": "json",
        "BLOB_URL": "s3://nobody?endpoint=http://127.0.0.1:1",
        "BUILD_ATTEMPTS": "1",
    }
    with serving(tmp_path_factory.mktemp("json"), settings) as server:
        async with client_of(server.url) as client:
            created = await client.create("Dockerfile", name=new_name(), dockerfile="FROM a.test/b")
            await client.reached(created["build"]["id"], "FAILED")
    lines = [json.loads(line) for line in server.log.read_text().splitlines()]
    assert any(line.get("build") == "1" for line in lines), lines
    assert all({"time", "level", "logger", "message"} <= line.keys() for line in lines)
