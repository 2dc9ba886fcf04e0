"""A server that has nothing to build with, for tests of everything else; its database besides."""

import contextlib
from collections.abc import AsyncIterator, Iterator
from pathlib import Path

from models import database
from tests.fixtures.service import Server, serving

NOTHING = {
    "ENGINE_URL": "unix:///nonexistent/docker.sock",
    "REGISTRY": "127.0.0.1:1",
    "BUILD_ATTEMPTS": "1",
}


@contextlib.contextmanager
def quiet_server(folder: Path, **settings: str) -> Iterator[Server]:
    """A server with these settings; what is queued fails at once, for there is no engine."""
    with serving(folder, NOTHING | settings) as server:
        yield server


def database_of(server: Server) -> str:
    """The address of the server's database."""
    data = Path(server.settings.get("DATA_DIR", server.log.with_name(server.log.name[:-11])))
    return server.settings.get("DATABASE_URL", f"sqlite://{data / 'darkroom.sqlite3'}")


@contextlib.asynccontextmanager
async def opened(server: Server) -> AsyncIterator[None]:
    """The server's database, for this test too."""
    async with database.opened(database_of(server)):
        yield
