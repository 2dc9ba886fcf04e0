"""Changing and removing image records."""

from dataclasses import dataclass
from typing import Any

from engine import builds, tags
from engine.clock import now
from engine.errors import FieldProblem, InvalidInput
from engine.images import describe_problems
from engine.services import Services
from engine.sources.git import seal
from models import Build, Image, ImageTag
from models.database import transaction
from models.enums import FINAL, Origin, Visibility


@dataclass(frozen=True, slots=True)
class Changes:
    """What to change: `None` clears, and anything that is not of its type was left out."""

    tags: object
    visibility: object
    description: object
    token_name: object
    token: object


async def update(services: Services, image: Image, changes: Changes) -> Image:
    """Change what was given and leave the rest. Raises InvalidInput.

    Only the columns that were given are written, so that two edits at once do not undo each other.
    """
    columns, problems = _columns(services, image, changes)
    chosen = changes.tags or () if _is_given(changes.tags, list) else None
    ids: list[int] = []
    if isinstance(chosen, list | tuple):
        ids, tag_problems = await tags.resolve(tuple(chosen))
        problems += tag_problems
    if problems:
        raise InvalidInput(problems)

    async def write() -> None:
        await Image.filter(id=image.id).update(**columns, updated_at=now())
        if chosen is not None:
            await ImageTag.filter(image_id=image.id).exclude(tag_id__in=ids).delete()
            rows = [ImageTag(image_id=image.id, tag_id=id_) for id_ in ids]
            await ImageTag.bulk_create(rows, ignore_conflicts=True)

    await transaction(write)
    services.notifier.publish("image", image.id)
    return await Image.get(id=image.id)


async def delete(services: Services, image: Image) -> None:
    """Remove an image's record, with its builds and logs; what runs is canceled first."""
    running = await Build.filter(image_id=image.id).exclude(status__in=FINAL)
    for build in running:
        await builds.cancel(services, build.id)
    for build in running:
        await builds.wait_until_over(services, build.id)
    kept = await Build.filter(image_id=image.id).exclude(log_key=None).values_list("log_key")
    await Image.filter(id=image.id).delete()
    for (key,) in kept:
        await services.blobs.delete(str(key))
    services.notifier.publish("image", image.id)


def _columns(
    services: Services, image: Image, changes: Changes
) -> tuple[dict[str, Any], list[FieldProblem]]:
    columns: dict[str, Any] = {}
    problems: list[FieldProblem] = []
    if _is_given(changes.visibility, Visibility):
        columns["visibility"] = changes.visibility or Visibility.PRIVATE
    if _is_given(changes.description, str):
        columns["description"] = str(changes.description or "")
        problems += describe_problems(columns["description"])
    for field in ("token", "token_name"):
        if _is_given(getattr(changes, field), str) and image.origin is not Origin.GIT:
            problems.append(FieldProblem(_API[field], "Only an image from git has one."))
    if _is_given(changes.token, str):
        columns["sealed_token"] = seal(services, image.name, str(changes.token or ""))
    if _is_given(changes.token_name, str):
        columns["source"] = {**image.source, "tokenName": changes.token_name}
    return columns, problems


_API = {"token": "token", "token_name": "tokenName"}


def _is_given(value: object, kind: type) -> bool:
    return value is None or isinstance(value, kind)
