"""Darkroom on servers that a test may break, each of its own, and what must hold afterwards."""

import contextlib
import json
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from uuid import uuid4

import aiohttp

from server.local.process import free_port
from server.local.registry import registry_config
from tests.fixtures.columns import Fleet, Worker, fleet, worker
from tests.fixtures.service import Client
from tests.servers.program import Program, listens

JSON = dict[str, Any]


@dataclass
class Arena:
    """A server, workers on demand, and a registry that can be stopped or frozen."""

    fleet: Fleet
    registry: Program
    registry_host: str
    base: str = ""

    @contextlib.contextmanager
    def worker(self, **settings: str) -> Iterator[Worker]:
        """Another worker, until the block ends."""
        found = worker(
            self.fleet.data.with_name(f"w{uuid4().hex[:8]}"),
            {**self.fleet.settings, **settings},
            f"worker-{uuid4().hex[:8]}",
        )
        with found.program.running():
            yield found

    async def digest(self, name: str) -> str | None:
        """What the registry has under an image's name."""
        repository, tag = name.lstrip("/").split(":")
        kinds = (
            "application/vnd.docker.distribution.manifest.v2+json",
            "application/vnd.oci.image.manifest.v1+json",
        )
        url = f"http://{self.registry_host}/v2/{repository}/manifests/{tag}"
        async with (
            aiohttp.ClientSession() as session,
            session.head(url, headers={"Accept": ",".join(kinds)}) as answer,
        ):
            return answer.headers.get("Docker-Content-Digest")


@contextlib.contextmanager
def arena(folder: Path, settings: dict[str, str]) -> Iterator[Arena]:
    """A server without a worker, and a registry, until the block ends."""
    port = free_port()
    host = f"127.0.0.1:{port}"
    config = folder / "registry.yml"
    config.write_text(json.dumps(registry_config(folder, host)))
    registry = Program(
        ["docker-registry", "serve", str(config)], folder / "registry.log", listens(port)
    )
    named = {"REGISTRY": host, "RETRY_SECONDS": "0.2", **settings}
    with registry.running(), fleet(folder / "darkroom", named) as found:
        yield Arena(found, registry, host)


def new_name() -> str:
    return f"/chaos/{uuid4().hex[:12]}:1"


def dockerfile(base: str, seconds: float = 2) -> str:
    """Steps that say when they have begun, and that no cache knows."""
    return (
        f"FROM {base}\n"
        f"RUN echo begun-{uuid4().hex} && i=0; while [ $i -lt 50 ]; do echo line $i; i=$((i+1));"
        f" done; sleep {seconds}; echo over > /made\n"
    )


async def ended_well(arena: Arena, client: Client, created: JSON) -> JSON:
    """The build, which must have succeeded with a whole log and the digest on record."""
    build = await client.finished(created)
    log = await client.log(build["id"])
    assert build["status"] == "SUCCEEDED", log
    await log_is_whole(client, build)
    image = await client.image(created["image"]["id"])
    assert image["digest"] == build["digest"] == await arena.digest(image["name"]), log
    assert image["status"] == "READY"
    return build


async def log_is_whole(client: Client, build: JSON) -> list[str]:
    """Every line is there, numbered 1 to n."""
    lines: list[str] = []
    async for event in client.follow(build["id"]):
        if "text" in event:
            assert event["firstLine"] == len(lines) + 1
            lines += event["text"].split("\n")
            assert event["cursor"] == len(lines)
    assert build["lineCount"] == len(lines)
    return lines
