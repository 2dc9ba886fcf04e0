"""Which images have a tag, an owner, a visibility, a status, an origin: as compressed bitmaps.

Counting by them takes a thousandth of what the database takes (Roaring bitmaps, a few megabytes
for a million images). They are exact: each answer first takes in every change that was committed
before it was asked for, by the numbers that the database's triggers give to changes.
"""

import asyncio
from collections import defaultdict
from typing import Any, Literal, cast

from pyroaring import BitMap
from tortoise.models import Model

from models import Image, ImageChange, ImageTag

Kind = Literal["owner", "visibility", "status", "origin", "tag"]
Term = tuple[Kind, Any]

_COLUMNS: tuple[Kind, ...] = ("owner", "visibility", "status", "origin")
_BATCH = 20_000  # rows that are read at once; others have their turn in between
_MANY = 5_000  # changes after which reading everything again is quicker


class ImageIndex:
    """The bitmaps of one process. Keys are those of the rows, below 2³²."""

    def __init__(self) -> None:
        self._seen: int | None = None  # the number of the last change that is in it
        self._all = BitMap()
        self._terms: defaultdict[Term, BitMap] = defaultdict(BitMap)
        self._refreshing = asyncio.Lock()

    async def refresh(self) -> None:
        """Take in every change that was committed before this call."""
        async with self._refreshing:
            if self._seen is None:
                await self._load()
                return
            changes = ImageChange.filter(number__gt=self._seen).order_by("number")
            rows = await changes.limit(_MANY + 1).values_list("image_id", "number")
            if len(rows) > _MANY:
                await self._load()
            elif rows:
                await self._apply([cast("int", row[0]) for row in rows])
                self._seen = cast("int", rows[-1][1])

    @property
    def all(self) -> BitMap:
        """Every image. Not to be changed."""
        return self._all

    def having(self, kind: Kind, value: object) -> BitMap:
        """The images with this owner, visibility, status, origin, or tag by its key.

        Not to be changed.
        """
        return self._terms.get((kind, value), _NOTHING)

    async def _load(self) -> None:
        """Read everything. What changes meanwhile has a later number, and is taken in next."""
        newest = await ImageChange.all().order_by("-number").first()
        everything, terms = BitMap(), defaultdict[Term, BitMap](BitMap)
        async for rows in _batches(Image, "id", *_COLUMNS):
            everything.update(row[0] for row in rows)
            for place, kind in enumerate(_COLUMNS, start=1):
                _add(terms, kind, [(row[place], row[0]) for row in rows])
        async for rows in _batches(ImageTag, "id", "tag_id", "image_id"):
            _add(terms, "tag", [(row[1], row[2]) for row in rows])
        self._all, self._terms = everything, terms
        self._seen = newest.number if newest else 0

    async def _apply(self, ids: list[int]) -> None:
        """Read the changed images again."""
        images: Any = await Image.filter(id__in=ids).values_list("id", *_COLUMNS)
        tags: Any = await ImageTag.filter(image_id__in=ids).values_list("tag_id", "image_id")
        # From here on nothing waits, so no reader sees half of it.
        changed = BitMap(ids)
        for bitmap in (self._all, *self._terms.values()):
            bitmap -= changed  # in place
        self._all.update(row[0] for row in images)
        for place, kind in enumerate(_COLUMNS, start=1):
            _add(self._terms, kind, [(row[place], row[0]) for row in images])
        _add(self._terms, "tag", list(tags))


_NOTHING = BitMap()


def _add(terms: defaultdict[Term, BitMap], kind: Kind, pairs: list[tuple[Any, int]]) -> None:
    groups: defaultdict[Any, list[int]] = defaultdict(list)
    for value, id_ in pairs:
        groups[value].append(id_)
    for value, ids in groups.items():
        terms[kind, value].update(ids)


async def _batches(model: type[Model], *columns: str) -> Any:
    """All rows of a table, in the order of their keys, as tuples of these columns."""
    after = 0
    while rows := await _after(model, after, columns):
        yield rows
        after = rows[-1][0]
        await asyncio.sleep(0)


async def _after(model: type[Model], after: int, columns: tuple[str, ...]) -> Any:
    rows = model.filter(id__gt=after).order_by("id").limit(_BATCH)
    return await rows.values_list(*columns)
