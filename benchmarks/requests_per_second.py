"""A warm `{ viewer { name } }` over HTTP, against bare strawberry on starlette with a constant.

Darkroom checks a token, measures the query, counts the user's requests and writes its audit log;
the bare one does nothing of it. `wrk` keeps so many connections busy, on the other core.
"""

import asyncio
import contextlib
import os
import re
import sys
from collections.abc import Iterator, Mapping
from pathlib import Path

from benchmarks.figures import Figure
from benchmarks.lab import Lab
from server.local.process import free_port, running
from tests.fixtures.service import ROOT
from tests.servers.program import listens
from tests.service.tokens import SECRET, bearer

COMMAND = "python -m benchmarks requests_per_second"
CONNECTIONS = 16
SECONDS = 5
# What wrk sends, in its own language; an answer with errors, or of another status, is none.
_SCRIPT = """\
wrk.method = "POST"
wrk.body = '{"query": "{ viewer { name } }"}'
wrk.headers["Content-Type"] = "application/json"
function response(status, headers, body)
  if body ~= '{"data": {"viewer": {"name": "mina"}}}' and
     body ~= '{"data":{"viewer":{"name":"mina"}}}' then
    io.stderr:write("answered " .. status .. " " .. body .. "\\n")
    os.exit(1)
  end
end
"""


async def run(lab: Lab, rounds: int) -> list[Figure]:
    """Both in turn; the first round warms up and is not counted."""
    script = lab.folder / "viewer.lua"
    script.write_text(_SCRIPT)
    settings = {"AUTH": "jwt", "JWT_SECRET": SECRET, "REQUESTS_PER_MINUTE": "100000000"}
    ours, bare, cached = [], [], []
    with _strawberry(lab.folder) as other:
        async with lab.darkroom(**settings) as darkroom:
            for _ in range(rounds + 1):
                url = f"{darkroom.server.url}/graphql"
                ours.append(await _microseconds(script, url, bearer("mina")))
                bare.append(await _microseconds(script, f"{other}/bare", {}))
                cached.append(await _microseconds(script, f"{other}/cached", {}))
    return [
        _figure("bare strawberry on starlette, a constant", ours, bare, target=1 / 0.7),
        _figure("the same with strawberry's caches", ours, cached),
    ]


def _figure(
    name: str, ours: list[float], theirs: list[float], target: float | None = None
) -> Figure:
    return Figure(
        "`{ viewer { name } }` with a token and limits: time of a request",
        COMMAND,
        measured=ours[1:],
        baseline=theirs[1:],
        baseline_name=name,
        unit="µs",
        target=target,
    )


async def _microseconds(script: Path, url: str, headers: Mapping[str, str]) -> float:
    """The time of one request, of which as many are served at once as a server can."""
    command = ["wrk", "-t1", f"-c{CONNECTIONS}", f"-d{SECONDS}s", "-s", str(script)]
    for name, value in headers.items():
        command += ["-H", f"{name}: {value}"]
    process = await asyncio.create_subprocess_exec(
        *command, url, stdout=asyncio.subprocess.PIPE, stderr=asyncio.subprocess.STDOUT
    )
    said = (await process.communicate())[0].decode()
    found = re.search(r"Requests/sec:\s+([0-9.]+)", said)
    if process.returncode or not found or "Non-2xx" in said:
        raise RuntimeError(f"wrk failed:\n{said}")
    return 1_000_000 / float(found[1])


@contextlib.contextmanager
def _strawberry(folder: Path) -> Iterator[str]:
    port = free_port()
    command = [sys.executable, "-m", "benchmarks.bare_strawberry", str(port)]
    env = os.environ | {"PYTHONPATH": str(ROOT)}
    with running(command, log=folder / "bare.log", ready=listens(port), env=env):
        yield f"http://127.0.0.1:{port}"
