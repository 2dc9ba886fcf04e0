"""The engine's own answer to a build, read as fast as it comes: what no service can be below."""

from collections.abc import AsyncIterator

from engine.docker.client import DockerEngine
from engine.docker.stream import Message
from tests.fixtures.docker import context

_PARAMS = {"version": "2", "dockerfile": "Dockerfile"}
_HEADERS = {"Content-Type": "application/x-tar"}


async def read_bytes(engine: DockerEngine, dockerfile: str) -> int:
    """Build, and read the answer without looking at it; its length."""
    async with engine._docker._query(
        "build", "POST", params=_PARAMS, headers=_HEADERS, data=context({"Dockerfile": dockerfile})
    ) as response:
        return sum([len(chunk) async for chunk in response.content.iter_any()])


def messages(engine: DockerEngine, dockerfile: str) -> AsyncIterator[Message]:
    """Build; the engine's messages as they come."""
    return engine.messages("build", _PARAMS, _HEADERS, context({"Dockerfile": dockerfile}))
