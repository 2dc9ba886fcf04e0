"""Who is next, on both databases."""

import asyncio
from collections.abc import AsyncIterator
from datetime import timedelta

import pytest

from engine import schedule
from engine.clock import now
from engine.errors import QueueFull
from models import Build, Duty, Image, database
from models.enums import BuildStatus, ImageStatus
from settings import Settings
from tests import rows

ANY = Settings(builds_per_user=0, builds_in_all=0)


@pytest.fixture(autouse=True)
async def opened(either_database: str) -> AsyncIterator[None]:
    await database.migrate(either_database)
    async with database.opened(either_database, everywhere=True):
        yield


async def queued(user: str, image: Image | None = None) -> Build:
    moment = now()
    if image is None:
        image = rows.image(owner=user, status=ImageStatus.QUEUED, created_at=moment)
        await image.save()
    number = await Build.filter(image_id=image.id).count() + 1
    return await Build.create(
        image_id=image.id,
        number=number,
        status=BuildStatus.QUEUED,
        created_by=user,
        created_at=moment,
    )


async def claim(settings: Settings = ANY) -> Build | None:
    moment = now()

    async def take() -> Build | None:
        await Duty.lock("claims")
        id_ = await schedule.next_build(settings, moment)
        until = moment + timedelta(seconds=60)
        return await Build.claim(id_, "worker", moment, until) if id_ else None

    return await database.transaction(take)


async def claimed_users(settings: Settings = ANY) -> list[str]:
    users = []
    while build := await claim(settings):
        users.append(build.created_by)
    return users


async def test_a_thousand_builds_of_one_do_not_delay_anothers_first() -> None:
    for _ in range(5):
        await queued("many")
    await queued("few")
    assert await claimed_users() == ["many", "few", "many", "many", "many", "many"]


async def test_positions_say_in_which_order_they_run() -> None:
    builds = [await queued(user) for user in ("a", "a", "a", "b", "b", "c")]
    assert (await claim()) is not None  # the first of a
    places = await schedule.positions()
    assert places.pop(builds[0].id, None) is None
    order = sorted(places, key=lambda id_: places[id_])
    assert sorted(places.values()) == [1, 2, 3, 4, 5]
    ran = []
    while build := await claim():
        ran.append(build.id)
    assert ran == order


async def test_limits_hold_for_each_user_and_in_all() -> None:
    for user in ("a", "a", "a", "b", "b"):
        await queued(user)
    assert await claimed_users(Settings(builds_per_user=1)) == ["a", "b"]
    assert await claimed_users(Settings(builds_in_all=3)) == ["a"]
    await Build.filter(created_by="b").update(status=BuildStatus.SUCCEEDED)
    assert await claimed_users(Settings(builds_per_user=3)) == ["a"]


async def test_builds_of_one_image_run_in_their_order_and_one_at_a_time() -> None:
    first = await queued("a")
    image = await Image.get(id=first.image_id)
    second = await queued("b", image)
    assert await claimed_users() == ["a"]
    later = now() + timedelta(seconds=60)
    await Build.filter(id=first.id).update(status=BuildStatus.QUEUED, not_before=later)
    assert await claim() is None  # the second must not overtake the first one's next try
    await Build.filter(id=first.id).update(status=BuildStatus.FAILED)
    taken = await claim()
    assert taken is not None
    assert taken.id == second.id


async def test_one_build_is_claimed_once_however_many_try() -> None:
    for _ in range(3):
        await queued("a")
    taken = await asyncio.gather(*(claim() for _ in range(8)))
    ids = [build.id for build in taken if build]
    assert len(ids) == len(set(ids)) == 3
    assert all(build.fence == 1 for build in taken if build)


async def test_a_queue_that_is_full_says_so() -> None:
    await queued("a")
    await schedule.require_room(Settings(queue_length=2), "a")
    await queued("a")
    with pytest.raises(QueueFull, match="2 builds waiting"):
        await schedule.require_room(Settings(queue_length=2), "a")
    await schedule.require_room(Settings(queue_length=2), "b")
    await schedule.require_room(Settings(queue_length=0), "a")


async def test_a_lost_claim_is_seized_once_and_its_writes_change_nothing() -> None:
    await queued("a")
    lost = await claim()
    assert lost is not None
    moment = now() + timedelta(seconds=120)
    copies = [await Build.get(id=lost.id) for _ in range(4)]
    until = moment + timedelta(seconds=60)
    seized = await asyncio.gather(*(Build.seize(copy, "other", moment, until) for copy in copies))
    assert sorted(seized) == [False, False, False, True]
    assert not await lost.note(digest="sha256:late")
    assert not await lost.renew(until)
    assert not await lost.move(BuildStatus.PREPARING, to=BuildStatus.BUILDING)
    record = await Build.get(id=lost.id)
    assert (record.fence, record.digest, record.worker) == (2, None, "other")


async def test_one_process_at_a_time_has_a_duty() -> None:
    moment = now()
    until = moment + timedelta(seconds=10)
    answers = await asyncio.gather(
        *(Duty.take("cleaning", f"w{number}", moment, until) for number in range(5))
    )
    assert sum(answers) == 1
    assert not await Duty.take("cleaning", "late", moment, until)
    assert await Duty.take("cleaning", "late", until + timedelta(seconds=1), until)
