"""A server that has nothing to build with, for tests of everything else; rows by the thousand."""

import contextlib
from collections.abc import AsyncIterator, Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any
from uuid import uuid4

from models import Build, Image, ImageTag, Tag, database
from models.enums import BuildStatus, ImageStatus, Origin, Visibility
from tests.fixtures.service import Server, serving

NOON = datetime(2026, 1, 31, 12, tzinfo=UTC)
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


def image(**given: Any) -> Image:
    """An image's row; what is not given is unremarkable."""
    name = given.pop("name", f"/tests/{uuid4().hex}:1")
    values: dict[str, Any] = {
        "name": name,
        "registry": "127.0.0.1:1",
        "repository": name.strip("/").split(":")[0],
        "registry_tag": "1",
        "visibility": Visibility.PUBLIC,
        "description": "",
        "owner": "mina",
        "origin": Origin.DOCKERFILE,
        "source": {"dockerfile": "FROM scratch"},
        "status": ImageStatus.READY,
        "created_at": NOON,
        "updated_at": NOON,
    }
    return Image(**values | given)


async def save(row: Image, *slugs: str) -> Image:
    """Write an image and its tags."""
    await row.save()
    for slug in slugs:
        category, name = slug.split("/")
        tag = await Tag.get(category__name=category, name=name)
        await ImageTag.create(image_id=row.id, tag_id=tag.id)
    return row


async def build_of(row: Image, number: int = 1, **given: Any) -> Build:
    """A finished build of an image."""
    values: dict[str, Any] = {
        "image_id": row.id,
        "number": number,
        "status": BuildStatus.SUCCEEDED,
        "created_by": row.owner,
        "created_at": NOON,
        "finished_at": NOON + timedelta(seconds=5),
        "dockerfile": "FROM scratch",
    }
    return await Build.create(**values | given)
