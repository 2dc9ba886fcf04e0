"""A server that waits for nobody for long, and gives up soon."""

import contextlib
from collections.abc import Iterator
from pathlib import Path

from tests.fixtures.service import Server, serving


@contextlib.contextmanager
def hasty_server(folder: Path, engine: str, registry: str, **settings: str) -> Iterator[Server]:
    """A server with these settings that builds on this engine for this registry."""
    usual = {
        "ENGINE_URL": engine,
        "REGISTRY": registry,
        "GIT_ALLOW_LOOPBACK": "true",
        "RETRY_SECONDS": "0.1",
        "BUILD_ATTEMPTS": "2",
    }
    with serving(folder, usual | settings) as server:
        yield server
