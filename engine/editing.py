"""Changing and removing image records."""

from dataclasses import dataclass
from typing import Any

from engine import builds, history, tags
from engine.clock import now
from engine.errors import FieldProblem, InvalidInput, NotFound
from engine.images import describe_problems
from engine.logs.archive import key_of
from engine.saving import changed_files
from engine.services import Services
from engine.sources.git import seal
from models import Build, Change, Image, ImageTag
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


async def update(services: Services, image: Image, changes: Changes, by: str) -> Image:
    """Change what was given, leave the rest, and note who did. Raises InvalidInput and NotFound.

    Only the columns that were given are written, so that two edits at once do not undo each other.
    """
    columns, problems = _columns(services, image, changes)
    tag_ids = None
    if _is_given(changes.tags, list):
        chosen = changes.tags or ()
        tag_ids, tag_problems = await tags.resolve(tuple(chosen))  # type: ignore[arg-type]  # a list, as was asked
        problems += tag_problems
    if problems:
        raise InvalidInput(problems)

    async def write() -> None:
        # Written first: edits at once take their turns, each finding what the one before left.
        if not await Image.filter(id=image.id).update(updated_at=now()):
            raise NotFound("There is no such image.")
        before = await Image.get(id=image.id)
        noted = [history.change(before, column, value) for column, value in columns.items()]
        if columns:
            await Image.filter(id=image.id).update(**_merged(before, columns))
        if tag_ids is not None:
            noted.append(await _set_tags(image.id, tag_ids))
        await history.record(image.id, noted, by)

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
    ids = [build.id for build in await Build.filter(image_id=image.id).only("id")]
    await Image.filter(id=image.id).delete()
    for id_ in ids:
        await services.blobs.delete(key_of(id_))
        await services.blobs.delete(changed_files.key_of(id_))
    services.notifier.publish("image", image.id)


async def _set_tags(image_id: int, ids: list[int]) -> Change:
    """Give the image these tags and no others."""
    before = await history.slugs(image_id)
    await ImageTag.filter(image_id=image_id).exclude(tag_id__in=ids).delete()
    rows = [ImageTag(image_id=image_id, tag_id=id_) for id_ in ids]
    await ImageTag.bulk_create(rows, ignore_conflicts=True)
    return {"field": "tags", "before": before, "after": await history.slugs(image_id)}


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
        columns["token_name"] = changes.token_name
    return columns, problems


def _merged(before: Image, columns: dict[str, Any]) -> dict[str, Any]:
    """The columns as the table has them: the token's name is a part of the source."""
    if "token_name" not in columns:
        return columns
    rest = {column: value for column, value in columns.items() if column != "token_name"}
    return rest | {"source": {**before.source, "tokenName": columns["token_name"]}}


_API = {"token": "token", "token_name": "tokenName"}


def _is_given(value: object, kind: type) -> bool:
    return value is None or isinstance(value, kind)
