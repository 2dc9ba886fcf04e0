"""A server within the test's own process, so that a test can reach what is behind the API."""

import contextlib
from collections.abc import AsyncIterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from starlette.applications import Starlette

from engine import tags
from engine.services import Services
from models import Build, LogChunk, database
from models.enums import BuildStatus
from server.app import application
from settings import Settings
from tests.rows import NOON
from tests.server.serving import served
from tests.service.tokens import SECRET


@dataclass(frozen=True, slots=True)
class Inside:
    """The application that is served, and where."""

    app: Starlette
    url: str

    @property
    def services(self) -> Services:
        found: Services = self.app.state.services
        return found

    async def log(self, build: Build, text: str) -> None:
        """Append a line to a build's log, and tell everybody."""
        line = build.log_lines + 1
        await LogChunk.create(
            build_id=build.id, first_line=line, last_line=line, time=NOON, text=text
        )
        build.log_lines, build.log_bytes = line, build.log_bytes + len(text) + 1
        await build.save(update_fields=["log_lines", "log_bytes"])
        self.services.notifier.publish("build", build.id)

    async def move(self, build: Build, status: BuildStatus) -> None:
        """Change a build's state, and tell everybody."""
        build.status = status
        await build.save(update_fields=["status"])
        self.services.notifier.publish("build", build.id)


@contextlib.asynccontextmanager
async def inside(folder: Path, **given: Any) -> AsyncIterator[Inside]:
    """Serve until the block ends; users are told by tokens, nothing is built."""
    usual: dict[str, Any] = {
        "data_dir": folder,
        "engine_url": "unix:///nonexistent/docker.sock",
        "registry": "127.0.0.1:1",
        "build_attempts": 1,
        "auth": "jwt",
        "jwt_secret": SECRET,
    }
    settings = Settings(**usual | given)
    await database.migrate(settings.database)
    app = application(settings)
    # Opened here for the test itself, whatever another test left in its context.
    async with database.opened(settings.database):
        await tags.seed()
        async with served(app) as url:
            yield Inside(app, url)
