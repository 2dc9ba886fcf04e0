"""One trace from the mutation to the worker in another process, as a collector receives it."""

import threading
from collections.abc import Iterator
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from uuid import uuid4

import pytest
from opentelemetry.proto.collector.trace.v1.trace_service_pb2 import ExportTraceServiceRequest
from opentelemetry.proto.trace.v1.trace_pb2 import Span

from tests.fixtures.brokers import BrokerServer
from tests.fixtures.columns import fleet
from tests.fixtures.registry import RegistryServer
from tests.fixtures.service import client_of
from tests.service.places import until
from tests.service.test_dockerfile import new_name

CREATE = """mutation MakeIt($input: CreateImageFromDockerfileInput!) {
  createImageFromDockerfile(input: $input) { __typename ... on CreateImagePayload { build { id } } }
}"""
PHASES = ("fetch", "freeze", "resolve", "build", "push", "record")


@dataclass
class Collector:
    """Takes traces by OTLP over HTTP, and keeps them."""

    url: str
    bodies: list[bytes] = field(default_factory=list)

    def spans(self) -> dict[str, tuple[str, Span]]:
        """By their names, with the process that each comes from."""
        found: dict[str, tuple[str, Span]] = {}
        for body in self.bodies:
            for part in ExportTraceServiceRequest.FromString(body).resource_spans:
                of = {one.key: one.value.string_value for one in part.resource.attributes}
                for scope in part.scope_spans:
                    found |= {span.name: (of["service.instance.id"], span) for span in scope.spans}
        return found


@pytest.fixture
def collector(monkeypatch: pytest.MonkeyPatch) -> Iterator[Collector]:
    monkeypatch.setenv("OTEL_BSP_SCHEDULE_DELAY", "100")  # milliseconds

    class Handler(BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            assert self.path == "/v1/traces"
            body = self.rfile.read(int(self.headers["Content-Length"]))
            found.bodies.append(body)
            self.send_response(200)
            self.end_headers()

        def log_message(self, *_: object) -> None:
            """Quietly."""

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    found = Collector(f"http://127.0.0.1:{server.server_port}")
    thread = threading.Thread(target=server.serve_forever)
    thread.start()
    yield found
    server.shutdown()
    thread.join()
    server.server_close()


async def test_one_trace_leads_from_the_mutation_to_the_worker(
    collector: Collector,
    docker_engine: str,
    registry: RegistryServer,
    redis: BrokerServer,
    base: str,
    tmp_path: Path,
) -> None:
    settings = {
        "ENGINE_URL": docker_engine,
        "REGISTRY": registry.host,
        "BROKER_URL": redis.url,
        "OTLP_URL": collector.url,
        "WORKER_NAME": "the server",
    }
    secret = uuid4().hex
    with fleet(tmp_path / "data", settings) as found:
        found.worker("one", WORKER_NAME="the worker")
        async with client_of(found.server.url) as client:
            dockerfile = f"FROM {base}\nRUN echo {secret}\n"
            given = {"name": new_name(), "dockerfile": dockerfile}
            created = await client.ask(CREATE, input=given)
            build = await client.finished(created)
        assert build["status"] == "SUCCEEDED"

        async def is_whole() -> bool:
            return {"mutation MakeIt", "run build", *PHASES} <= collector.spans().keys()

        await until(is_whole)

    spans = collector.spans()
    server, mutation = spans["mutation MakeIt"]
    worker, run = spans["run build"]
    assert (server, worker) == ("the server", "the worker")
    assert (run.trace_id, run.parent_span_id) == (mutation.trace_id, mutation.span_id)
    for name in PHASES:
        whose, phase = spans[name]
        assert (whose, phase.trace_id) == (worker, mutation.trace_id)
        assert phase.parent_span_id == run.span_id
        assert run.start_time_unix_nano <= phase.start_time_unix_nano
        assert phase.end_time_unix_nano <= run.end_time_unix_nano
    assert not any(secret.encode() in body for body in collector.bodies)
