"""Making image records: checked, written in one transaction, then queued."""

import contextlib
import re
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from tortoise.exceptions import IntegrityError

from engine import pushing_rights, schedule, tags, tracing
from engine.blobs import BlobsUnavailable
from engine.builds import enqueue
from engine.clock import now
from engine.errors import FieldProblem, InvalidInput, NameTaken
from engine.push_policy import Author
from engine.reference import BadReference, ImageName, parse_image_name
from engine.services import Services
from models import Build, Duty, Image, ImageTag
from models.database import transaction
from models.enums import BuildStatus, ImageStatus, Origin, Visibility

LONGEST_DESCRIPTION = 10_000  # characters
# All but tab and newline: they would break tables, terminals and headers that show them. Halves of
# characters are no text at all.
_CONTROL = re.compile(r"[\x00-\x08\x0b-\x1f\x7f\x80-\x9f\ud800-\udfff\u202a-\u202e\u2066-\u2069]")


@dataclass(frozen=True, slots=True)
class Draft:
    """What a user says of an image, whichever way it is made."""

    name: str
    visibility: Visibility
    tags: tuple[str, ...]
    description: str
    author: Author
    overwrite: bool = False  # replace what the registry holds under this name


@dataclass(frozen=True, slots=True)
class Making:
    """How it is made: what goes on record, what a build needs, what is wrong with the input."""

    origin: Origin
    source: dict[str, Any]
    upload_key: str | None = None
    upload: Path | None = None  # what is stored under that key
    sealed_token: str | None = None
    problems: list[FieldProblem] = field(default_factory=list)


async def create(
    services: Services, draft: Draft, making: Making, owner: str
) -> tuple[Image, Build]:
    """Put an image on record and queue its first build.

    Raises InvalidInput with every field's problem at once, NameTaken and Forbidden.
    """
    name, tag_ids = await check(services, draft, making.problems)
    await pushing_rights.check(services, name, draft.author, overwrite=draft.overwrite)
    await schedule.require_room(services.settings, owner)
    image = new_image(
        services,
        draft,
        name,
        owner,
        origin=making.origin,
        source=making.source,
        sealed_token=making.sealed_token,
        status=ImageStatus.QUEUED,
    )
    build = Build(
        number=1,
        status=BuildStatus.QUEUED,
        created_by=owner,
        created_as=draft.author.record,
        created_at=image.created_at,
        upload_key=making.upload_key,
        may_replace=draft.overwrite,
        traceparent=tracing.traceparent(),
    )
    await put_on_record(services, image, tag_ids, build)
    await _keep_upload(services, making)
    await enqueue(services, build)
    return image, build


async def _keep_upload(services: Services, making: Making) -> None:
    """Housekeeping may have removed an equal, older upload a moment before it was referred to."""
    if making.upload and making.upload_key:
        with contextlib.suppress(BlobsUnavailable):  # it was there just now; the build will see
            await services.blobs.keep_file(making.upload_key, making.upload)


def new_image(services: Services, draft: Draft, name: ImageName, owner: str, **more: Any) -> Image:
    """What every way of making an image puts on record, and what this way adds to it."""
    moment = now()
    return Image(
        name=name.name,
        registry=services.settings.registry,
        repository=name.repository,
        registry_tag=name.tag,
        visibility=draft.visibility,
        description=draft.description,
        owner=owner,
        created_at=moment,
        updated_at=moment,
        **more,
    )


async def put_on_record(
    services: Services, image: Image, tag_ids: list[int], build: Build | None = None
) -> None:
    """Write an image with its tags, and its first build if it has one. Raises NameTaken."""

    async def write() -> None:
        if build and build.upload_key:
            await Duty.lock("contexts")
        await image.save()
        await ImageTag.bulk_create(ImageTag(image_id=image.id, tag_id=id_) for id_ in tag_ids)
        if build:
            build.image_id = image.id
            await build.save()

    try:
        await transaction(write)
    except IntegrityError:
        await _refuse_taken(image.name)
        raise
    services.notifier.publish("image", image.id)


async def check(
    services: Services, draft: Draft, more: list[FieldProblem]
) -> tuple[ImageName, list[int]]:
    """The parsed name and the tags' ids. Raises InvalidInput and NameTaken."""
    problems = []
    name = None
    try:
        name = parse_image_name(draft.name, services.settings.registry)
    except BadReference as error:
        problems.append(FieldProblem("name", error.message))
    problems += describe_problems(draft.description)
    tag_ids, tag_problems = await tags.resolve(draft.tags)
    problems += tag_problems
    if name is None or problems or more:
        raise InvalidInput(problems + more)
    await _refuse_taken(name.name)
    return name, tag_ids


def describe_problems(description: str) -> list[FieldProblem]:
    """What is wrong with a description."""
    if len(description) > LONGEST_DESCRIPTION:
        message = f"It has {len(description)} characters; at most {LONGEST_DESCRIPTION} are kept."
        return [FieldProblem("description", message)]
    if _CONTROL.search(description):
        message = "It holds control characters; only tabs and newlines may stand in it."
        return [FieldProblem("description", message)]
    return []


async def _refuse_taken(name: str) -> None:
    """Raise NameTaken when a record has this name already."""
    taken = await Image.get_or_none(name=name)
    if taken:
        raise NameTaken(
            f"There is an image {name} already. Choose another name or tag, or build the "
            "existing image again with rebuildImage.",
            taken.id,
        )
