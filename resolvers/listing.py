"""The list of images: in an order, a page at a time."""

from dataclasses import dataclass
from datetime import datetime
from typing import Any

from pyroaring import BitMap
from tortoise.expressions import Q
from tortoise.queryset import QuerySet

from models import Image
from models.key_lists import Keys
from resolvers.selection import Selection
from schema.cursor import Cursor, InvalidCursor
from schema.enums import Direction, ImageOrderField
from schema.inputs import ImageOrder
from schema.page import Page

# To sort an image costs the database as much as to walk along so many keys of an index.
SORTING = 3
SHORTEST = 64  # keys of a walk

NEWEST = ImageOrder(field=ImageOrderField.CREATED_AT, direction=Direction.DESC)

_COLUMN = {
    ImageOrderField.CREATED_AT: "created_at",
    ImageOrderField.UPDATED_AT: "updated_at",
    ImageOrderField.NAME: "name",
    ImageOrderField.SIZE: "size",
}


async def page(
    selection: Selection, first: int, after: str | None, order: ImageOrder
) -> Page[Image]:
    """A page of the selection. Raises InvalidCursor."""
    name = f"{order.field.value}.{order.direction.value}"
    place = Cursor.decode(after, name) if after else None
    column = _COLUMN[order.field]
    parts = stretches(order, place)
    images, total = selection.whole(), len(selection.images.all)
    found: list[int] = []
    for stretch in parts:
        found += await _walk(stretch, images, total, first + 1 - len(found))
        if len(found) > first:
            break
    rows = {row.id: row for row in await Image.filter(id__in=found[:first])}
    return Page(
        rows=[rows[id_] for id_ in found[:first] if id_ in rows],
        cursor=lambda row: Cursor(name, _value(row, column), row.id).encode(),
        has_next=len(found) > first,
        has_previous=after is not None,
    )


async def _walk(stretch: "Stretch", images: BitMap, total: int, wanted: int) -> list[int]:
    """The first keys of a stretch that are among the images.

    Of many images, every so-and-so-many-th key along the index is one, so a short walk finds them;
    how short is told by their share. A walk that found too few begins again and goes further, so
    that it sees the list of one moment. Few images are sorted by the database sooner than found.
    """
    if not images or wanted <= 0:
        return []
    rows = Image.filter(stretch.condition).order_by(*stretch.order_by)
    length = SHORTEST + 3 * wanted * total // (2 * len(images))
    while len(images) * SORTING > length:
        keys = await _keys(rows.limit(length))
        found = [key for key in keys if key in images]
        if len(found) >= wanted or len(keys) < length:
            return found[:wanted]
        length *= 8
    return await _keys(rows.filter(id__in=Keys(images)).limit(wanted))


async def _keys(rows: QuerySet[Image]) -> list[int]:
    keys: Any = await rows.values_list("id", flat=True)
    return list(keys)


@dataclass(frozen=True, slots=True)
class Stretch:
    """A part of the list that one index holds in order."""

    condition: Q
    order_by: tuple[str, ...]


def stretches(order: ImageOrder, place: Cursor | None) -> list[Stretch]:
    """The parts of the list behind a place, or of all of it, in their order. Raises InvalidCursor.

    Databases disagree on where rows without a value come, and no index serves a value that stands
    in for it. So images without a size, which are not built yet, are a stretch of their own: they
    come before the smallest.
    """
    column, descending = _COLUMN[order.field], order.direction is Direction.DESC
    sign = "-" if descending else ""
    valued = Stretch(Q(size__isnull=False), (f"{sign}{column}", f"{sign}id"))
    if column != "size":
        valued = Stretch(Q(), valued.order_by)
        if place is not None and place.value is None:
            raise InvalidCursor
    if place is not None and place.value is not None:
        valued = Stretch(valued.condition & _behind(place, column, descending), valued.order_by)
    if column != "size":
        return [valued]
    empty = Stretch(Q(size__isnull=True), (f"{sign}id",))
    if place is None:
        return [valued, empty] if descending else [empty, valued]
    if place.value is not None:
        return [valued, empty] if descending else [valued]
    further = Q(id__lt=place.id) if descending else Q(id__gt=place.id)
    empty = Stretch(empty.condition & further, empty.order_by)
    return [empty] if descending else [empty, valued]


def _behind(place: Cursor, column: str, descending: bool) -> Q:
    """What comes behind a place: by the column, then by id where its values are equal.

    The first condition alone bounds the walk along the index.
    """
    value = _stored(place.value, column)
    way = "lt" if descending else "gt"
    conditions: dict[str, Any] = {f"{column}__{way}e": value}
    beyond: dict[str, Any] = {f"{column}__{way}": value, f"id__{way}": place.id}
    return Q(**conditions) & Q(**beyond, join_type=Q.OR)


def _value(row: Image, column: str) -> str | int | None:
    value: Any = getattr(row, column)
    return value.isoformat() if isinstance(value, datetime) else value


def _stored(value: str | int | None, column: str) -> Any:
    """The value of a cursor as the database compares it. Raises InvalidCursor."""
    if column == "size" or not isinstance(value, str):
        if column == "size" and isinstance(value, int):
            return value
        raise InvalidCursor
    if column == "name":
        return value
    try:
        time = datetime.fromisoformat(value)
    except ValueError:
        raise InvalidCursor from None
    if time.tzinfo is None:
        raise InvalidCursor
    return time
