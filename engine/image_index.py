"""Which images have a tag, an owner, a visibility, a status, an origin: as compressed bitmaps.

Counting by them takes a thousandth of what the database takes (Roaring bitmaps, a few megabytes
for a million images). They are exact: each answer first takes in every change that was committed
before it was asked for, by the numbers that the database's triggers give to changes.
"""

import asyncio
import json
from collections import defaultdict
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Literal, cast

from pyroaring import BitMap
from tortoise.queryset import QuerySet

from models import ChangeClock, Image, ImageChange, ImageTag
from models.key_lists import Gathered, Keys

Kind = Literal["owner", "visibility", "status", "origin", "tag"]
Term = tuple[Kind, Any]

# Changes after which reading everything again is quicker.
FAR_BEHIND = 50_000
# Whoever is that far behind needs none of them, however long it takes to say so.
KEPT_CHANGES = 2 * FAR_BEHIND
_COLUMNS: tuple[Kind, ...] = ("owner", "visibility", "status", "origin")
_BATCH = 100_000  # images that are read at once; others have their turn in between
_BEYOND = 2**32  # no key is
_CHANGES = 5_000  # that are taken in at once


@dataclass(frozen=True, slots=True)
class Images:
    """All images as they were at one moment, by their keys, which are below 2³².

    The bitmaps are shared, and not to be changed.
    """

    all: BitMap
    terms: Mapping[Term, BitMap]

    def having(self, kind: Kind, value: object) -> BitMap:
        """Those with this owner, visibility, status, origin, or tag by its key."""
        return self.terms.get((kind, value), _NOTHING)


class ImageIndex:
    """The images as one process knows them."""

    def __init__(self) -> None:
        self._images: Images | None = None
        self._seen = 0  # the number of the last change that is in them
        self._refreshing = asyncio.Lock()

    async def now(self) -> Images:
        """The images, with every change that was committed before this call."""
        async with self._refreshing:
            newest = await _newest()
            if self._images is None or newest - self._seen > FAR_BEHIND:
                self._images, self._seen = await _load(), newest
                newest = await _newest()  # reading took its time
            while self._seen < newest:
                rows = await _changes(self._seen)
                self._images = await _applied(self._images, [image for image, _ in rows])
                self._seen = rows[-1][1]
            return self._images


async def forget_changes() -> int:
    """Remove the changes that nobody takes in one by one any more; how many there were."""
    return await ImageChange.filter(number__lte=await _newest() - KEPT_CHANGES).delete()


_NOTHING = BitMap()


async def _newest() -> int:
    return cast("int", (await ChangeClock.get()).number)


async def _changes(seen: int) -> list[tuple[int, int]]:
    """The first images that changed after a number, with their changes' numbers in order."""
    rows = ImageChange.filter(number__gt=seen).order_by("number").limit(_CHANGES)
    return cast("list[tuple[int, int]]", await rows.values_list("image_id", "number"))


async def _load() -> Images:
    """Read everything. What changes meanwhile has a number that is taken in afterwards."""
    terms = defaultdict[Term, BitMap](BitMap)
    after = 0
    while after < _BEYOND:
        ends = Image.filter(id__gt=after).order_by("id").offset(_BATCH - 1).limit(1)
        end = cast("list[int]", await ends.values_list("id", flat=True))
        last = end[0] if end else _BEYOND
        images = Image.filter(id__gt=after, id__lte=last)
        for kind in _COLUMNS:
            await _add(terms, kind, images, kind, "id")
        tagged = ImageTag.filter(image_id__gt=after, image_id__lte=last)
        await _add(terms, "tag", tagged, "tag_id", "image_id")
        after = last
    return _images(terms)


async def _add(
    terms: defaultdict[Term, BitMap], kind: Kind, rows: QuerySet[Any], value: str, key: str
) -> None:
    """Add the rows' keys, gathered by their value."""
    groups = rows.annotate(keys=Gathered(key)).group_by(value).values_list(value, "keys")
    for found, keys in cast("list[tuple[Any, str]]", await groups):
        terms[kind, found].update(json.loads(keys))


async def _applied(images: Images, ids: list[int]) -> Images:
    """The images after these were read again."""
    rows = await Image.filter(id__in=Keys(ids)).values_list("id", *_COLUMNS)
    tags = await ImageTag.filter(image_id__in=Keys(ids)).values_list("image_id", "tag_id")
    found = defaultdict[Term, BitMap](BitMap)
    for id_, *values in rows:
        for kind, value in zip(_COLUMNS, values, strict=True):
            found[kind, value].add(id_)
    for id_, tag in tags:
        found["tag", tag].add(id_)
    changed, terms = BitMap(ids), dict(images.terms)
    for term, bitmap in images.terms.items():
        if bitmap.intersect(changed):
            terms[term] = bitmap - changed
    for term, bitmap in found.items():
        terms[term] = terms.get(term, _NOTHING) | bitmap
    return _images(terms)


def _images(terms: Mapping[Term, BitMap]) -> Images:
    visibilities = (bitmap for (kind, _), bitmap in terms.items() if kind == "visibility")
    return Images(BitMap().union(*visibilities), dict(terms))  # each image has one of them
