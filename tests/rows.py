"""Rows for tests that need some; what is not given is unremarkable."""

from datetime import UTC, datetime, timedelta
from typing import Any
from uuid import uuid4

from models import Build, Image, ImageTag, Tag
from models.enums import BuildStatus, ImageStatus, Origin, Visibility

NOON = datetime(2026, 1, 31, 12, tzinfo=UTC)


def image(**given: Any) -> Image:
    """An image, not saved yet."""
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
