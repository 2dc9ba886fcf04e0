"""What a list holds under a filter: as bitmaps, from which counts and facets follow."""

from collections import defaultdict
from collections.abc import Iterable
from dataclasses import dataclass
from functools import reduce
from operator import and_, or_
from typing import Any

from pyroaring import BitMap
from tortoise.expressions import Q
from tortoise.queryset import QuerySet

from engine.image_index import ImageIndex, Images, Kind
from models import Image, TagCategory
from models.enums import Visibility
from schema.context import Viewer
from schema.inputs import ImageFilter
from schema.tag import Tag as TagNoun
from schema.tag import TagCategory as CategoryNoun
from schema.tag import TagFacet, TagFacetValue


@dataclass(frozen=True, slots=True)
class Category:
    """A category and the ids of its tags, by name."""

    row: TagCategory
    tags: dict[str, int]


async def read_catalogue() -> list[Category]:
    """Every category. By one query and without a model for each tag, it costs next to nothing."""
    columns = ("id", "name", "title", "title_chinese")
    rows = TagCategory.all().order_by("id", "tags__name")
    found: dict[int, Category] = {}
    for *values, name, id_ in await rows.values_list(*columns, "tags__name", "tags__id"):
        if values[0] not in found:
            row = TagCategory(**dict(zip(columns, values, strict=True)))
            found[row.id] = Category(row, {})
        if id_ is not None:
            found[values[0]].tags[name] = id_
    return list(found.values())


@dataclass(frozen=True, slots=True)
class Selection:
    """The images that fit everything but the tags, and those that each chosen category leaves.

    All of one moment, so a page, its count and its facets agree.
    """

    images: Images
    rest: BitMap
    categories: dict[int, BitMap]
    slugs: frozenset[str]
    catalogue: list[Category]  # empty where none was chosen from

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
        whole = self.whole()
        return [
            self._facet(
                category,
                self.but_for(category.row.id) if category.row.id in self.categories else whole,
            )
            for category in self.catalogue or await read_catalogue()
        ]

    def _facet(self, category: Category, held: BitMap) -> TagFacet:
        noun, values = CategoryNoun.of(category.row), []
        for name, id_ in category.tags.items():
            slug = f"{noun.name}/{name}"
            values.append(
                TagFacetValue(
                    tag=TagNoun(slug=slug, category=noun, name=name),
                    count=held.intersection_cardinality(self.images.having("tag", id_)),
                    selected=slug in self.slugs,
                )
            )
        return TagFacet(category=noun, values=values)


async def select(index: ImageIndex, viewer: Viewer, filter_: ImageFilter | None) -> Selection:
    """What the viewer may see under the filter, exact as of now."""
    slugs = frozenset((filter_ and filter_.tags) or ())
    catalogue = await read_catalogue() if slugs else []
    texts: Any = None
    if filter_ and filter_.search:
        texts = await with_text(filter_.search).values_list("id", flat=True)
    images = await index.now()
    rest = visible(images, viewer)
    for narrowing in _narrowings(images, viewer, filter_):
        rest &= narrowing
    if texts is not None:
        rest &= BitMap(texts)
    chosen = chosen_tags(catalogue, slugs).items()
    categories = {id_: _any(images, "tag", tags) for id_, tags in chosen}
    return Selection(images, rest, categories, slugs, catalogue)


def visible(images: Images, viewer: Viewer) -> BitMap:
    """The images that the viewer may see, as `resolvers.access` has it; the caller's own copy."""
    if viewer.admin:
        return images.all.copy()
    return images.having("visibility", Visibility.PUBLIC) | images.having("owner", viewer.name)


def chosen_tags(catalogue: list[Category], slugs: Iterable[str]) -> dict[int, list[int]]:
    """The ids of tags by category; 0, which nobody has, for a tag that there is not.

    As an alternative it adds nothing; alone in its category, it leaves the list empty.
    """
    known = {category.row.name: category for category in catalogue}
    chosen = defaultdict[int, list[int]](list)
    for slug in slugs:
        name, _, tag = slug.partition("/")
        category = known.get(name)
        chosen[category.row.id if category else 0].append(
            category.tags.get(tag, 0) if category else 0
        )
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
