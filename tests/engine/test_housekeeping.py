"""What is removed, and what never is, on both databases."""

from collections.abc import AsyncIterator
from datetime import timedelta
from types import SimpleNamespace
from typing import cast

import pytest

from engine import housekeeping
from engine.blobs import Blobs
from engine.clock import now
from engine.context import context_key
from engine.logs.archive import key_of
from engine.services import Services
from models import Build, Image, database
from models.enums import BuildStatus
from settings import Settings
from tests.engine.test_schedule import queued

DAY = timedelta(days=1)


@pytest.fixture(autouse=True)
async def opened(either_database: str) -> AsyncIterator[None]:
    await database.migrate(either_database)
    async with database.opened(either_database, everywhere=True):
        yield


def services(**given: object) -> Services:
    found = SimpleNamespace(settings=Settings(**given), blobs=Blobs.open("memory:"))  # type: ignore[arg-type]  # settings by their names
    return cast(Services, found)


async def ended(image: Image, days: float, **columns: object) -> Build:
    build = await queued("a", image)
    await Build.filter(id=build.id).update(
        status=BuildStatus.SUCCEEDED,
        finished_at=now() - days * DAY,
        log_key=key_of(build.id),
        log_lines=1,
        log_bytes=100,
        **columns,
    )
    return await Build.get(id=build.id)


async def new_image() -> Image:
    build = await queued("a")
    image = await Image.get(id=build.image_id)
    await build.delete()
    return image


async def left() -> list[int]:
    return sorted(build.id for build in await Build.all())


async def test_old_builds_go_and_what_is_needed_stays() -> None:
    image = await new_image()
    current = await ended(image, 900)
    await Image.filter(id=image.id).update(current_build_id=current.id)
    original = await ended(image, 800)
    old = await ended(image, 800)
    repeats = await ended(image, 790, pinned=True, rebuild_of_id=original.id)
    young = await ended(image, 1)
    newest = await ended(image, 1000)
    running = await queued("a", await new_image())
    await Build.filter(id=running.id).update(created_at=now() - 900 * DAY)

    found = services()
    await found.blobs.put(key_of(old.id), b"log")
    await found.blobs.put(key_of(young.id), b"log")
    removed = await housekeeping.clean(found, now())
    assert removed["builds"] == 1
    kept = [current, original, repeats, young, newest, running]
    assert await left() == sorted(build.id for build in kept)
    assert not await found.blobs.exists(key_of(old.id))
    assert await found.blobs.exists(key_of(young.id))


async def test_of_many_builds_the_newest_are_kept() -> None:
    image = await new_image()
    builds = [await ended(image, 1) for _ in range(5)]
    await Image.filter(id=image.id).update(current_build_id=builds[1].id)
    assert (await housekeeping.clean(services(keep_builds=3), now()))["builds"] == 2
    assert await left() == [builds[1].id, builds[3].id, builds[4].id]


async def test_logs_go_by_age_and_by_size_and_their_records_stay() -> None:
    image = await new_image()
    old = await ended(image, 400)
    bigger = [await ended(image, 300 - number) for number in range(4)]
    newest = await ended(image, 0)
    found = services(keep_log_bytes=400)
    removed = await housekeeping.clean(found, now())
    assert removed["logs"] == 2  # the old one, and the oldest beyond 400 bytes
    logs = {build.id: (build.log_key, build.log_lines) for build in await Build.all()}
    assert logs[old.id] == ("", 0)
    assert logs[bigger[0].id] == ("", 0)
    assert all(logs[build.id] == (key_of(build.id), 1) for build in (*bigger[1:], newest))


async def test_contexts_go_with_the_last_build_that_refers_to_them() -> None:
    image = await new_image()
    digest, other = "sha256:" + "a" * 64, "sha256:" + "b" * 64
    first = await ended(image, 1, context_digest=digest)
    second = await ended(image, 1, context_digest=digest, upload_key="uploads/sha256/" + "c" * 64)
    found = services()
    contexts = [f"contexts/sha256/{one[7:]}.tar.zst" for one in (digest, other)]
    uploads = ["uploads/sha256/" + "c" * 64, "uploads/sha256/" + "d" * 64]
    for key in (*contexts, *uploads):
        await found.blobs.put(key, b"content")

    async def there() -> list[bool]:
        return [await found.blobs.exists(key) for key in (*contexts, *uploads)]

    assert (await housekeeping.clean(found, now()))["contexts"] == 0
    assert await there() == [True] * 4  # they are too young: their build may not be on record yet
    later = now() + 2 * DAY
    assert (await housekeeping.clean(found, later))["contexts"] == 2
    assert await there() == [True, False, True, False]
    await first.delete()
    assert (await housekeeping.clean(found, later))["contexts"] == 0
    await second.delete()
    assert (await housekeeping.clean(found, later))["contexts"] == 2


async def test_beyond_a_size_the_oldest_contexts_go_and_their_records_stay() -> None:
    image = await new_image()
    shared, *others = ("sha256:" + letter * 64 for letter in "abcde")
    await ended(image, 50, context_digest=shared)
    _, pinned, _, young = [
        await ended(image, age, context_digest=digest, pinned=age == 30)
        for age, digest in zip((40, 30, 20, 10), others, strict=True)
    ]
    newest = await ended(image, 5, context_digest=shared)
    found = services(keep_context_bytes=300)
    for digest in (shared, *others):
        await found.blobs.put(context_key(digest), bytes(100))

    removed = await housekeeping.clean(found, now() + 2 * DAY)

    assert removed["contexts"] == 2
    assert len(await left()) == 6
    kept = await Build.filter(context_kept=True).order_by("id")
    assert [build.id for build in kept] == [pinned.id, young.id, newest.id]
    for build in kept:
        assert await found.blobs.exists(context_key(build.context_digest or ""))


async def test_one_process_cleans_within_an_hour(caplog: pytest.LogCaptureFixture) -> None:
    image = await new_image()
    await ended(image, 800)
    await ended(image, 1)
    found = services()
    with caplog.at_level("INFO"):
        await housekeeping.clean_if_due(found)
        await housekeeping.clean_if_due(found)
    assert [record.getMessage() for record in caplog.records if "removed" in record.message] == [
        "housekeeping removed 1 builds"
    ]
