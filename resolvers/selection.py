"""What a list holds under a filter: as bitmaps, from which counts and facets follow."""

from collections import defaultdict
from collections.abc import Iterable
from dataclasses import dataclass
from functools import reduce
from operator import and_, or_
from typing import Any

from pyroaring import BitMap
from tortoise.expressions import Q

from engine.image_index import ImageIndex, Kind
from engine.tags import slug_of
from models import Image, Tag, TagCategory
from models.enums import Visibility
from schema.context import Viewer
from schema.inputs import ImageFilter
from schema.tag import Tag as TagNoun
from schema.tag import TagCategory as CategoryNoun
from schema.tag import TagFacet, TagFacetValue


@dataclass(frozen=True, slots=True)
class Selection:
    """The images that fit everything but the tags, and those that each chosen category leaves."""

    rest: BitMap
    categories: dict[int, BitMap]

    def whole(self) -> BitMap:
        """What the list holds."""
        return reduce(and_, self.categories.values(), self.rest)

    def but_for(self, category: int) -> BitMap:
        """What it would hold if nothing were chosen in this category."""
        others = (images for id_, images in self.categories.items() if id_ != category)
        return reduce(and_, others, self.rest)


async def select(index: ImageIndex, viewer: Viewer, filter_: ImageFilter | None) -> Selection:
    """What the viewer may see under the filter, exact as of now."""
    chosen = await chosen_tags(filter_)
    texts = await _with_text(filter_.search) if filter_ and filter_.search else None
    await index.refresh()
    # From here on nothing waits, so the bitmaps are of one moment.
    rest = visible(index, viewer)
    for narrowing in _narrowings(index, viewer, filter_):
        rest &= narrowing
    if texts is not None:
        rest &= texts
    return Selection(rest, {id_: _any(index, "tag", tags) for id_, tags in chosen.items()})


def visible(index: ImageIndex, viewer: Viewer) -> BitMap:
    """The images that the viewer may see, as `resolvers.access` has it; the caller's own copy."""
    if viewer.admin:
        return index.all.copy()
    return index.having("visibility", Visibility.PUBLIC) | index.having("owner", viewer.name)


async def count(index: ImageIndex, viewer: Viewer, filter_: ImageFilter | None) -> int:
    """How many images the viewer may see under the filter."""
    return len((await select(index, viewer, filter_)).whole())


async def facets(index: ImageIndex, viewer: Viewer, filter_: ImageFilter | None) -> list[TagFacet]:
    """Each tag's count under the other categories' filters."""
    categories = await TagCategory.all()
    tags: defaultdict[int, list[Tag]] = defaultdict(list)
    for tag in await Tag.all().order_by("name"):
        tags[tag.category_id].append(tag)
    selection = await select(index, viewer, filter_)
    slugs = set((filter_ and filter_.tags) or ())
    return [_facet(index, selection, category, tags[category.id], slugs) for category in categories]


def _facet(
    index: ImageIndex,
    selection: Selection,
    category: TagCategory,
    tags: Iterable[Tag],
    slugs: set[str],
) -> TagFacet:
    held = selection.but_for(category.id)
    values = []
    for tag in tags:
        tag.category = category
        values.append(
            TagFacetValue(
                tag=TagNoun.of(tag),
                count=held.intersection_cardinality(index.having("tag", tag.id)),
                selected=slug_of(tag) in slugs,
            )
        )
    return TagFacet(category=CategoryNoun.of(category), values=values)


async def chosen_tags(filter_: ImageFilter | None) -> dict[int, list[int]]:
    """The ids of the filter's tags by category. A tag that there is not matches nothing."""
    slugs = set((filter_ and filter_.tags) or ())
    if not slugs:
        return {}
    chosen: defaultdict[int, list[int]] = defaultdict(list)
    categories = {category.name: category.id for category in await TagCategory.all()}
    names = {slug.partition("/")[2] for slug in slugs}
    for tag in await Tag.filter(name__in=names).select_related("category"):
        if slug_of(tag) in slugs:
            slugs.discard(slug_of(tag))
            chosen[tag.category_id].append(tag.id)
    for slug in slugs:
        # An alternative that nobody has; alone in its category, it leaves the list empty.
        chosen.setdefault(categories.get(slug.split("/")[0], 0), []).append(0)
    return dict(chosen)


def _narrowings(index: ImageIndex, viewer: Viewer, filter_: ImageFilter | None) -> Iterable[BitMap]:
    if filter_ is None:
        return
    if filter_.visibility:
        yield index.having("visibility", filter_.visibility)
    if filter_.status:
        yield _any(index, "status", filter_.status)
    if filter_.origin:
        yield _any(index, "origin", filter_.origin)
    if filter_.mine:
        yield index.having("owner", viewer.name)


async def _with_text(text: str) -> BitMap:
    """The database looks through names and descriptions; a bitmap cannot."""
    rows = Image.filter(Q(name__icontains=text) | Q(description__icontains=text))
    keys: Any = await rows.values_list("id", flat=True)
    return BitMap(keys)


def _any(index: ImageIndex, kind: Kind, values: Iterable[object]) -> BitMap:
    return reduce(or_, (index.having(kind, value) for value in values), BitMap())
