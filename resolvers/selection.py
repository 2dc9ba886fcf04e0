"""What a list holds under a filter: as bitmaps, from which counts and facets follow."""

from collections import defaultdict
from collections.abc import Iterable
from dataclasses import dataclass
from functools import reduce
from operator import and_, or_
from typing import Any, cast

from pyroaring import BitMap
from tortoise.expressions import Q
from tortoise.queryset import QuerySet

from engine.image_index import ImageIndex, Images, Kind
from models import Image, Tag, TagCategory
from models.enums import Visibility
from schema.context import Viewer
from schema.inputs import ImageFilter
from schema.tag import Tag as TagNoun
from schema.tag import TagCategory as CategoryNoun
from schema.tag import TagFacet, TagFacetValue


@dataclass(frozen=True, slots=True)
class Selection:
    """The images that fit everything but the tags, and those that each chosen category leaves.

    All of one moment, so a page, its count and its facets agree.
    """

    images: Images
    rest: BitMap
    categories: dict[int, BitMap]
    slugs: frozenset[str]

    def whole(self) -> BitMap:
        """What the list holds."""
        return _all([self.rest, *self.categories.values()])

    def but_for(self, category: int) -> BitMap:
        """What it would hold if nothing were chosen in this category."""
        others = [images for id_, images in self.categories.items() if id_ != category]
        return _all([self.rest, *others])

    def count(self) -> int:
        """How many images the list holds."""
        return len(self.whole())

    async def facets(self) -> list[TagFacet]:
        """Each tag's count under the other categories' filters."""
        tags = defaultdict[int, list[tuple[int, str]]](list)
        # A model for each tag would take longer than all of the counting.
        rows = Tag.all().order_by("name").values_list("category_id", "id", "name")
        for category_id, id_, name in cast("list[tuple[int, int, str]]", await rows):
            tags[category_id].append((id_, name))
        whole = self.whole()
        return [
            self._facet(
                row, tags[row.id], self.but_for(row.id) if row.id in self.categories else whole
            )
            for row in await TagCategory.all()
        ]

    def _facet(self, row: TagCategory, tags: list[tuple[int, str]], held: BitMap) -> TagFacet:
        category, values = CategoryNoun.of(row), []
        for id_, name in tags:
            slug = f"{row.name}/{name}"
            values.append(
                TagFacetValue(
                    tag=TagNoun(slug=slug, category=category, name=name),
                    count=held.intersection_cardinality(self.images.having("tag", id_)),
                    selected=slug in self.slugs,
                )
            )
        return TagFacet(category=category, values=values)


async def select(index: ImageIndex, viewer: Viewer, filter_: ImageFilter | None) -> Selection:
    """What the viewer may see under the filter, exact as of now."""
    chosen = await chosen_tags(filter_)
    texts: Any = None
    if filter_ and filter_.search:
        texts = await with_text(filter_.search).values_list("id", flat=True)
    images = await index.now()
    rest = visible(images, viewer)
    for narrowing in _narrowings(images, viewer, filter_):
        rest &= narrowing
    if texts is not None:
        rest &= BitMap(texts)
    categories = {id_: _any(images, "tag", tags) for id_, tags in chosen.items()}
    return Selection(images, rest, categories, frozenset((filter_ and filter_.tags) or ()))


def visible(images: Images, viewer: Viewer) -> BitMap:
    """The images that the viewer may see, as `resolvers.access` has it; the caller's own copy."""
    if viewer.admin:
        return images.all.copy()
    return images.having("visibility", Visibility.PUBLIC) | images.having("owner", viewer.name)


async def chosen_tags(filter_: ImageFilter | None) -> dict[int, list[int]]:
    """The ids of the filter's tags by category. A tag that there is not matches nothing."""
    slugs = set((filter_ and filter_.tags) or ())
    if not slugs:
        return {}
    chosen: defaultdict[int, list[int]] = defaultdict(list)
    names = {slug.partition("/")[2] for slug in slugs}
    rows = Tag.filter(name__in=names).values_list("category__name", "name", "category_id", "id")
    for category, name, category_id, id_ in cast("list[tuple[str, str, int, int]]", await rows):
        if (slug := f"{category}/{name}") in slugs:
            slugs.discard(slug)
            chosen[category_id].append(id_)
    if not slugs:
        return dict(chosen)
    categories = {category.name: category.id for category in await TagCategory.all()}
    for slug in slugs:
        # An alternative that nobody has; alone in its category, it leaves the list empty.
        chosen.setdefault(categories.get(slug.split("/")[0], 0), []).append(0)
    return dict(chosen)


def _narrowings(images: Images, viewer: Viewer, filter_: ImageFilter | None) -> Iterable[BitMap]:
    if filter_ is None:
        return
    if filter_.visibility:
        yield images.having("visibility", filter_.visibility)
    if filter_.status:
        yield _any(images, "status", filter_.status)
    if filter_.origin:
        yield _any(images, "origin", filter_.origin)
    if filter_.mine:
        yield images.having("owner", viewer.name)


def with_text(text: str) -> QuerySet[Image]:
    """Images whose name or description holds a text; the database looks, a bitmap cannot."""
    return Image.filter(Q(name__icontains=text) | Q(description__icontains=text))


def _all(bitmaps: list[BitMap]) -> BitMap:
    return reduce(and_, sorted(bitmaps, key=len))  # the smallest ones first: they leave little


def _any(images: Images, kind: Kind, values: Iterable[object]) -> BitMap:
    return reduce(or_, (images.having(kind, value) for value in values), BitMap())
