"""What the nouns read when somebody selects it: one query for all rows of a level."""

from collections.abc import Callable, Coroutine
from typing import Any, TypeVar

from strawberry.dataloader import DataLoader
from tortoise.functions import Count, Max
from tortoise.models import Model
from tortoise.queryset import QuerySet

import models
from engine import schedule
from engine.differences import differences
from engine.errors import NotFound
from engine.record import record
from engine.saving import changed_files
from engine.services import Services
from models.enums import BuildStatus
from resolvers.access import may_change
from schema.build_difference import BuildDifference
from schema.context import Viewer
from schema.cursor import Cursor
from schema.image import Image
from schema.log import BuildLogChunk, BuildLogPage
from schema.page import Page, size_of
from schema.saved_container import ChangedFile
from schema.scalars import BigInt

V = TypeVar("V")
R = TypeVar("R", bound=Model)

MOST_LINES = 10_000  # of one page

_BUILD_ORDER = "build.number"
_EDIT_ORDER = "edit.id"


class DatabaseReads:
    """Implements `schema.context.Reads`.

    Loaders gather what one moment asks for, and keep nothing: in a subscription, the next event
    must find what is on record then.
    """

    def __init__(self, viewer: Viewer, services: Services, log_url: Callable[[int], str]) -> None:
        self._viewer = viewer
        self._settings = services.settings
        self._logs = services.logs
        self._blobs = services.blobs
        self._log_url = log_url
        self._image_tags = _loader(_load_image_tags)
        self._category_tags = _loader(_load_category_tags)
        self._latest_builds = _loader(_load_latest_builds)
        self._builds = _loader(_load_builds)
        self._images = _loader(_load_images)
        self._steps = _loader(_load_steps)
        self._build_counts = _loader(_load_build_counts)
        self._positions = _loader(_load_positions)

    async def is_admin(self, name: str) -> bool:
        """Whether the user of this name is an administrator, as far as the viewer's token tells."""
        return name == self._viewer.name and self._viewer.admin

    async def image_tags(self, image: models.Image) -> list[models.Tag]:
        """The image's tags, by category and name."""
        return await self._image_tags.load(image.id)

    async def category_tags(self, category: models.TagCategory) -> list[models.Tag]:
        """The category's tags by name."""
        return await self._category_tags.load(category.id)

    async def can_edit(self, image: models.Image) -> bool:
        """Whether the viewer may change it."""
        return may_change(self._viewer, image)

    async def image_builds(
        self, image: models.Image, first: int, after: str | None
    ) -> Page[models.Build]:
        """The image's builds, newest first. Raises InvalidCursor."""
        rows = models.Build.filter(image_id=image.id)
        return await _newest_first(rows, _BUILD_ORDER, self._size(first), after)

    async def image_edits(
        self, image: models.Image, first: int, after: str | None
    ) -> Page[models.ImageEdit]:
        """The image's edits, newest first. Raises InvalidCursor."""
        rows = models.ImageEdit.filter(image_id=image.id)
        return await _newest_first(rows, _EDIT_ORDER, self._size(first), after)

    async def count_builds(self, image: models.Image) -> int:
        """How many builds the image has."""
        return await self._build_counts.load(image.id)

    async def latest_build(self, image: models.Image) -> models.Build | None:
        """The newest build."""
        return await self._latest_builds.load(image.id)

    async def build(self, id_: int) -> models.Build | None:
        """A build by its key."""
        return await self._builds.load(id_)

    async def image_of(self, build: models.Build) -> Image:
        """The image that a build belongs to."""
        row = await self._images.load(build.image_id)
        if row is None:
            raise NotFound("The image was deleted a moment ago.")
        return Image.of(row)

    async def build_steps(self, build: models.Build) -> list[models.BuildStep]:
        """The build's steps by index."""
        return await self._steps.load(build.id)

    async def build_differences(self, build: models.Build) -> list[BuildDifference]:
        """Compares the records; what a build has not resolved yet is left out."""
        original = await self._builds.load(build.rebuild_of_id) if build.rebuild_of_id else None
        return [
            BuildDifference(input=one.input, name=one.name, before=one.before, after=one.after)
            for one in (differences(original, build) if original else ())
        ]

    async def build_record(self, build: models.Build) -> dict[str, object]:
        """The whole record."""
        return await record(build)

    async def queue_position(self, build: models.Build) -> int | None:
        """Where it stands in the queue."""
        if build.status is not BuildStatus.QUEUED:
            return None
        return await self._positions.load(build.id)

    async def changed_files(self, build: models.Build, after: int, most: int) -> list[ChangedFile]:
        """From the blob that goes with the record."""
        key = (build.container or {}).get("changesKey")
        found = await changed_files.read(self._blobs, key, after, most) if key else []
        return [
            ChangedFile(
                path=change.path,
                change=change.kind,
                size=None if change.size is None else BigInt(change.size),
            )
            for change in found
        ]

    async def line_count(self, build: models.Build) -> int:
        """How many lines the build's log has."""
        return int(build.log_lines)

    async def build_log(self, build: models.Build, after: int, max_lines: int) -> BuildLogPage:
        """A page of the log."""
        most = max(1, min(max_lines, MOST_LINES))
        page = await self._logs.page(build.id, max(0, after), most)
        chunks = [
            BuildLogChunk(
                first_line=chunk.first_line,
                cursor=chunk.last_line,
                step=chunk.step,
                time=chunk.time,
                text=chunk.text,
            )
            for chunk in page.chunks
        ]
        return BuildLogPage(chunks=chunks, end_cursor=page.cursor, complete=page.complete)

    def _size(self, first: int) -> int:
        return size_of(first, self._settings.page_size)

    def log_url(self, build: models.Build) -> str:
        """Where the log is downloaded."""
        return self._log_url(build.id)


async def _newest_first(rows: QuerySet[R], order: str, most: int, after: str | None) -> Page[R]:
    """A page by key, the greatest first. Raises InvalidCursor."""
    if after:
        rows = rows.filter(id__lt=Cursor.decode(after, order).id)
    found = await rows.order_by("-id").limit(most + 1)
    return Page(
        rows=found[:most],
        cursor=lambda row: Cursor(order, None, row.pk).encode(),
        has_next=len(found) > most,
        has_previous=after is not None,
    )


def _loader(
    load: Callable[[list[int]], Coroutine[Any, Any, dict[int, V]]],
) -> DataLoader[int, V]:
    async def in_order(ids: list[int]) -> list[V]:
        found = await load(list(dict.fromkeys(ids)))
        return [found[id_] for id_ in ids]

    return DataLoader(load_fn=in_order, cache=False)


async def _load_image_tags(ids: list[int]) -> dict[int, list[models.Tag]]:
    rows = models.ImageTag.filter(image_id__in=ids).select_related("tag__category")
    tags: dict[int, list[models.Tag]] = {id_: [] for id_ in ids}
    for row in await rows.order_by("tag__category_id", "tag__name"):
        tags[row.image_id].append(row.tag)
    return tags


async def _load_category_tags(ids: list[int]) -> dict[int, list[models.Tag]]:
    rows = models.Tag.filter(category_id__in=ids).select_related("category").order_by("name")
    return _grouped(ids, await rows, lambda row: row.category_id)


async def _load_steps(ids: list[int]) -> dict[int, list[models.BuildStep]]:
    rows = models.BuildStep.filter(build_id__in=ids).order_by("index")
    return _grouped(ids, await rows, lambda row: row.build_id)


async def _load_builds(ids: list[int]) -> dict[int, models.Build | None]:
    found = {row.id: row for row in await models.Build.filter(id__in=ids)}
    return {id_: found.get(id_) for id_ in ids}


async def _load_images(ids: list[int]) -> dict[int, models.Image | None]:
    found = {row.id: row for row in await models.Image.filter(id__in=ids)}
    return {id_: found.get(id_) for id_ in ids}


async def _load_latest_builds(ids: list[int]) -> dict[int, models.Build | None]:
    # A build's number and its id grow together, so the newest one has the greatest id.
    rows = models.Build.filter(image_id__in=ids).annotate(newest=Max("id")).group_by("image_id")
    builds = await _load_builds([row["newest"] for row in await rows.values("newest")])
    found = {row.image_id: row for row in builds.values() if row}
    return {id_: found.get(id_) for id_ in ids}


async def _load_build_counts(ids: list[int]) -> dict[int, int]:
    rows = models.Build.filter(image_id__in=ids).annotate(builds=Count("id")).group_by("image_id")
    return dict.fromkeys(ids, 0) | {
        row["image_id"]: row["builds"] for row in await rows.values("image_id", "builds")
    }


async def _load_positions(ids: list[int]) -> dict[int, int | None]:
    found = await schedule.positions()
    return {id_: found.get(id_) for id_ in ids}


def _grouped(ids: list[int], rows: list[V], key: Callable[[V], int]) -> dict[int, list[V]]:
    groups: dict[int, list[V]] = {id_: [] for id_ in ids}
    for row in rows:
        groups[key(row)].append(row)
    return groups
