"""Bitmaps against the database: on random images that change at random, both say the same."""

import random
from collections.abc import AsyncIterator
from typing import Any

import pytest

from engine import image_index, tags
from engine.image_index import ImageIndex
from models import Image, ImageChange, ImageTag, Tag, database
from models.enums import ImageStatus, Origin, Visibility
from resolvers import listing, selection
from schema.context import Viewer
from schema.enums import Direction, ImageOrderField
from schema.inputs import ImageFilter, ImageOrder
from tests.resolvers import by_sql
from tests.rows import image

VIEWERS = [Viewer("mina"), Viewer("noah"), Viewer("nobody"), Viewer("root", admin=True)]
OWNERS = ["mina", "noah", "olga"]
SLUGS = ["framework/jax", "framework/onnx", "task/nlp", "task/data", "language/go", "no/such"]


@pytest.fixture
async def opened(either_database: str) -> AsyncIterator[None]:
    await database.migrate(either_database)
    async with database.opened(either_database):
        await tags.seed()
        yield


def random_filter(chance: random.Random) -> ImageFilter | None:
    if chance.random() < 0.1:
        return None
    given: dict[str, Any] = {}
    if chance.random() < 0.7:
        given["tags"] = chance.sample(SLUGS, chance.randrange(4))
    if chance.random() < 0.2:
        given["visibility"] = chance.choice(list(Visibility))
    if chance.random() < 0.2:
        given["status"] = chance.sample(list(ImageStatus), 2)
    if chance.random() < 0.2:
        given["origin"] = chance.sample(list(Origin), 3)
    if chance.random() < 0.2:
        given["search"] = chance.choice("abc%")
    given["mine"] = chance.random() < 0.2
    return ImageFilter(**given)


class World:
    """Images that come, change and go."""

    def __init__(self, chance: random.Random) -> None:
        self._chance = chance
        self._made = 0

    async def change(self) -> None:
        kinds = [self.make, self.make, self.make, self.edit, self.edit, self.tag, self.tag]
        await self._chance.choice([*kinds, self.untag, self.remove])()

    async def make(self) -> None:
        self._made += 1
        row = image(
            name=f"/{self._chance.choice('abc')}/{self._made}:1",
            owner=self._chance.choice(OWNERS),
            visibility=self._chance.choice(list(Visibility)),
            status=self._chance.choice(list(ImageStatus)),
            origin=self._chance.choice(list(Origin)),
            size=self._chance.choice([None, 1, 2, 3]),
        )
        await row.save()
        for tag in self._chance.sample(await Tag.all(), 3):
            await ImageTag.create(image_id=row.id, tag_id=tag.id)

    async def edit(self) -> None:
        if row := await self._any():
            columns = {
                "visibility": self._chance.choice(list(Visibility)),
                "status": self._chance.choice(list(ImageStatus)),
            }
            await Image.filter(id=row.id).update(**columns)

    async def tag(self) -> None:
        if row := await self._any():
            slug = self._chance.choice(SLUGS[:-1]).split("/")
            tag = await Tag.get(category__name=slug[0], name=slug[1])
            new = ImageTag(image_id=row.id, tag_id=tag.id)
            await ImageTag.bulk_create([new], ignore_conflicts=True)

    async def untag(self) -> None:
        if row := await self._any():
            await ImageTag.filter(image_id=row.id).delete()

    async def remove(self) -> None:
        if row := await self._any():
            await Image.filter(id=row.id).delete()

    async def _any(self) -> Image | None:
        rows = await Image.all()
        return self._chance.choice(rows) if rows else None


async def compare(index: ImageIndex, viewer: Viewer, filter_: ImageFilter | None) -> None:
    expected = await by_sql.keys(viewer, filter_)
    found = await selection.select(index, viewer, filter_)
    assert set(found.whole()) == expected, (viewer, filter_)
    assert found.count() == len(expected)
    counted = {
        value.tag.slug: value.count
        for facet in await found.facets()
        for value in facet.values
        if value.count
    }
    known = {tag.id: tags.slug_of(tag) for tag in await Tag.all().select_related("category")}
    by_key = await by_sql.facets(viewer, filter_)
    assert counted == {known[id_]: count for id_, count in by_key.items()}, (viewer, filter_)


async def test_bitmaps_say_what_the_database_says(opened: None) -> None:
    chance = random.Random(11)  # noqa: S311  # a test's data
    world = World(chance)
    old, young = ImageIndex(), None
    for step in range(120):
        await world.change()
        if step == 60:
            young = ImageIndex()  # of a process that starts later
        if step % 4 == 0:
            viewer, filter_ = chance.choice(VIEWERS), random_filter(chance)
            await compare(old, viewer, filter_)
            if young:
                await compare(young, viewer, filter_)


async def test_who_is_behind_what_was_forgotten_reads_everything_again(
    opened: None, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(image_index, "FAR_BEHIND", 30)
    monkeypatch.setattr(image_index, "KEPT_CHANGES", 30)
    chance = random.Random(3)  # noqa: S311  # a test's data
    world, indexes = World(chance), [ImageIndex(), ImageIndex(), ImageIndex()]
    for step in range(100):
        await world.change()
        await image_index.forget_changes()
        for every, index in zip((2, 9, 31), indexes, strict=True):
            if step % every == 0:
                await compare(index, VIEWERS[0], None)
    assert await ImageChange.all().count() <= 30


async def test_a_tag_that_goes_is_gone_from_the_bitmaps(opened: None) -> None:
    """Rows that the database removes by itself are counted as well."""
    index, row = ImageIndex(), image()
    await row.save()
    tag = await Tag.get(name="jax")
    await ImageTag.create(image_id=row.id, tag_id=tag.id)
    assert list((await index.now()).having("tag", tag.id)) == [row.id]
    await Tag.filter(id=tag.id).delete()
    assert list((await index.now()).having("tag", tag.id)) == []


@pytest.mark.parametrize("sorting", [10**6, 0], ids=["walked", "sorted"])
async def test_pages_hold_the_whole_list_in_order(
    opened: None, monkeypatch: pytest.MonkeyPatch, sorting: int
) -> None:
    monkeypatch.setattr(listing, "SORTING", sorting)
    monkeypatch.setattr(listing, "SHORTEST", 1)
    chance = random.Random(5)  # noqa: S311  # a test's data
    world, index = World(chance), ImageIndex()
    for _ in range(40):
        await world.make()
    for _ in range(12):
        viewer, filter_ = chance.choice(VIEWERS), random_filter(chance)
        order = ImageOrder(
            field=chance.choice(list(ImageOrderField)), direction=chance.choice(list(Direction))
        )
        seen: list[int] = []
        after: str | None = None
        while True:
            found = await selection.select(index, viewer, filter_)
            page = await listing.page(found, 3, after, order)
            seen += [row.id for row in page.rows]
            if not page.has_next:
                break
            after = page.cursor(page.rows[-1])
        assert set(seen) == await by_sql.keys(viewer, filter_)
        assert len(seen) == len(set(seen))
