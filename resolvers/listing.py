"""The list of images: what it holds under a filter, in an order, a page at a time."""

from collections import defaultdict
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from tortoise.expressions import Q, Subquery
from tortoise.functions import Count
from tortoise.queryset import QuerySet

from engine.tags import slug_of
from models import Image, ImageTag, Tag, TagCategory
from resolvers.access import visible
from schema.context import Viewer
from schema.cursor import Cursor, InvalidCursor
from schema.enums import Direction, ImageOrderField
from schema.inputs import ImageFilter, ImageOrder
from schema.page import Page
from schema.tag import Tag as TagNoun
from schema.tag import TagCategory as CategoryNoun
from schema.tag import TagFacet, TagFacetValue

NEWEST = ImageOrder(field=ImageOrderField.CREATED_AT, direction=Direction.DESC)

_COLUMN = {
    ImageOrderField.CREATED_AT: "created_at",
    ImageOrderField.UPDATED_AT: "updated_at",
    ImageOrderField.NAME: "name",
    ImageOrderField.SIZE: "size",
}


async def page(
    viewer: Viewer, first: int, after: str | None, filter_: ImageFilter | None, order: ImageOrder
) -> Page[Image]:
    """A page of what the viewer may see. Raises InvalidCursor."""
    name = f"{order.field.value}.{order.direction.value}"
    place = Cursor.decode(after, name) if after else None
    column = _COLUMN[order.field]
    rows = await matching(viewer, filter_)
    found: list[Image] = []
    for stretch in stretches(order, place):
        sorted_rows = rows.filter(stretch.condition).order_by(*stretch.order_by)
        found += await sorted_rows.limit(first + 1 - len(found))
        if len(found) > first:
            break
    return Page(
        rows=found[:first],
        cursor=lambda row: Cursor(name, _value(row, column), row.id).encode(),
        has_next=len(found) > first,
        has_previous=after is not None,
    )


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


async def count(viewer: Viewer, filter_: ImageFilter | None) -> int:
    """How many images the viewer may see under the filter."""
    return await (await matching(viewer, filter_)).count()


async def facets(viewer: Viewer, filter_: ImageFilter | None) -> list[TagFacet]:
    """Each tag's count under the other categories' filters."""
    chosen = await _chosen(filter_)
    counts: dict[int, int] = {}
    for category in {None, *chosen}:
        counts |= await _counts(viewer, filter_, chosen, category)
    selected = {id_ for ids in chosen.values() for id_ in ids}
    tags: defaultdict[int, list[Tag]] = defaultdict(list)
    for tag in await Tag.all().select_related("category").order_by("name"):
        tags[tag.category_id].append(tag)
    return [
        TagFacet(
            category=CategoryNoun.of(category),
            values=[
                TagFacetValue(
                    tag=TagNoun.of(tag), count=counts.get(tag.id, 0), selected=tag.id in selected
                )
                for tag in tags[category.id]
            ],
        )
        for category in await TagCategory.all()
    ]


async def matching(
    viewer: Viewer, filter_: ImageFilter | None, *, but_for: int | None = None
) -> QuerySet[Image]:
    """The images that the viewer may see under the filter, one category's tags left out."""
    rows = Image.filter(visible(viewer))
    if filter_ is None:
        return rows
    for category, ids in (await _chosen(filter_)).items():
        if category != but_for:
            tagged = ImageTag.filter(tag_id__in=ids).values("image_id")
            rows = rows.filter(id__in=Subquery(tagged))
    return rows.filter(_conditions(viewer, filter_))


def _conditions(viewer: Viewer, filter_: ImageFilter) -> Q:
    found = Q()
    if filter_.search:
        found &= Q(name__icontains=filter_.search) | Q(description__icontains=filter_.search)
    if filter_.visibility:
        found &= Q(visibility=filter_.visibility)
    if filter_.status:
        found &= Q(status__in=filter_.status)
    if filter_.origin:
        found &= Q(origin__in=filter_.origin)
    if filter_.mine:
        found &= Q(owner=viewer.name)
    return found


async def _chosen(filter_: ImageFilter | None) -> dict[int, list[int]]:
    """The ids of the filter's tags by category. A tag that there is not matches nothing."""
    slugs = set((filter_ and filter_.tags) or ())
    if not slugs:
        return {}
    chosen: defaultdict[int, list[int]] = defaultdict(list)
    for tag in await Tag.all().select_related("category"):
        if slug_of(tag) in slugs:
            slugs.discard(slug_of(tag))
            chosen[tag.category_id].append(tag.id)
    categories = {category.name: category.id for category in await TagCategory.all()}
    for slug in slugs:
        # An alternative that nobody has; alone in its category, it leaves the list empty.
        chosen.setdefault(categories.get(slug.split("/")[0], 0), []).append(0)
    return dict(chosen)


async def _counts(
    viewer: Viewer,
    filter_: ImageFilter | None,
    chosen: dict[int, list[int]],
    category: int | None,
) -> dict[int, int]:
    """Images of each tag: of one category that was chosen, or of all that were not."""
    images = await matching(viewer, filter_, but_for=category)
    rows = ImageTag.filter(image_id__in=Subquery(images.values("id")))
    if category is None:
        rows = rows.exclude(tag__category_id__in=list(chosen)) if chosen else rows
    else:
        rows = rows.filter(tag__category_id=category)
    counted = await rows.annotate(images=Count("id")).group_by("tag_id").values("tag_id", "images")
    return {row["tag_id"]: row["images"] for row in counted}


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
