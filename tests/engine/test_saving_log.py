"""Following what a saving Job prints, by way of an API server whose connections break."""

import contextlib
import json
from collections.abc import AsyncIterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from aiohttp import web

from engine.cluster.api import Api
from engine.saving.events import Clean, Event, Saved, encode
from engine.saving.node_job import NodeJob

SAVED = Saved("sha256:" + "a" * 64, "containerd", "1", None, 1, 2, 3)
JOB: dict[str, Any] = {
    "metadata": {"name": "save", "namespace": "n"},
    "spec": {"template": {"spec": {"containers": [{"image": "i", "env": []}]}}},
}


@dataclass
class ApiServer:
    """As much of an API server as one Job's log needs; each log breaks off as it is told to."""

    logs: list[tuple[int, list[str]]]
    """Restarts of the process, and the lines of one connection."""
    last_words: str = ""
    asked: list[str] = field(default_factory=list)
    pods: list[dict[str, Any]] | None = None
    """What it lists of pods, one after the other and then none; if None, as the log has it."""

    async def answer(self, request: web.Request) -> web.StreamResponse:
        self.asked.append(f"{request.method} {request.path}")
        if request.path.endswith("/log"):
            return await self._log(request)
        if request.path.endswith("/pods"):
            return web.json_response({"items": self._pods()})
        status = 201 if request.method == "POST" else 200
        return web.json_response({"metadata": JOB["metadata"] | {"uid": "u"}}, status=status)

    async def _log(self, request: web.Request) -> web.StreamResponse:
        _, lines = self.logs.pop(0)
        response = web.StreamResponse()
        await response.prepare(request)
        await response.write("".join(f"{line}\n" for line in lines).encode())
        if self.logs:
            assert request.transport
            request.transport.close()  # in the middle of the answer
        return response

    def _pods(self) -> list[dict[str, Any]]:
        if self.pods is None:
            return [self._pod()]
        return [self.pods.pop()] if self.pods else []

    def _pod(self) -> dict[str, Any]:
        restarts = self.logs[0][0] if self.logs else 0
        state: dict[str, Any] = {"running": {}}
        if not self.logs:
            state = {"terminated": {"message": self.last_words}}
        statuses = [{"name": "commit", "restartCount": restarts, "state": state}]
        phase = "Running" if self.logs else "Succeeded"
        return {
            "metadata": {"name": "pod"},
            "status": {"phase": phase, "containerStatuses": statuses},
        }


@contextlib.asynccontextmanager
async def api_of(server: ApiServer, folder: Path) -> AsyncIterator[Api]:
    app = web.Application()
    app.router.add_route("*", "/{path:.*}", server.answer)
    runner = web.AppRunner(app)
    await runner.setup()
    await web.TCPSite(runner, "127.0.0.1", 0).start()
    entry = {"name": "x", "cluster": {"server": f"http://127.0.0.1:{runner.addresses[0][1]}"}}
    context = {"name": "x", "context": {"cluster": "x", "user": "x"}}
    kubeconfig = folder / "kubeconfig"
    config = {"clusters": [entry], "users": [{"name": "x", "user": {}}], "contexts": [context]}
    kubeconfig.write_text(json.dumps({"kind": "Config", "current-context": "x", **config}))
    api = Api(kubeconfig)
    try:
        yield api
    finally:
        await api.close()
        await runner.cleanup()


async def followed(server: ApiServer, folder: Path) -> tuple[NodeJob, list[Event | str]]:
    heard: list[Event | str] = []

    async def on_event(event: Event | str) -> None:
        heard.append(event)

    async with api_of(server, folder) as api:
        job = NodeJob(api, JOB, None, 5, on_event)
        await job.run()
    return job, heard


async def test_a_connection_that_breaks_loses_and_repeats_no_line(tmp_path: Path) -> None:
    lines = ["one", "two", encode(SAVED), encode(Clean())]
    server = ApiServer([(0, lines[:1]), (0, lines[:3]), (0, lines)])
    job, heard = await followed(server, tmp_path)
    assert heard == ["one", "two", SAVED, Clean()]
    assert job.clean
    assert "DELETE /apis/batch/v1/namespaces/n/jobs/save" in server.asked


async def test_a_process_that_starts_again_is_read_from_its_beginning(tmp_path: Path) -> None:
    server = ApiServer([(0, ["one"]), (1, ["one", encode(Clean())])])
    _, heard = await followed(server, tmp_path)
    assert heard == ["one", "The saving process was killed, and runs again.", "one", Clean()]


async def test_the_pods_last_words_count_where_the_log_is_lost(tmp_path: Path) -> None:
    server = ApiServer([(0, ["one"])], last_words=f"{encode(SAVED)}\n{encode(Clean())}")
    job, heard = await followed(server, tmp_path)
    assert heard == ["one", SAVED, Clean()]
    assert job.clean


async def test_a_pod_that_is_deleted_is_not_waited_for(tmp_path: Path) -> None:
    pending = {"metadata": {"name": "pod"}, "status": {"phase": "Pending"}}
    job, heard = await followed(ApiServer([], pods=[pending]), tmp_path)
    assert heard == []
    assert (job.started, job.clean) == (True, False)  # so that somebody looks at the node
