"""Which build is next: that of whoever has the fewest running, and of those the oldest.

So a thousand builds of one user do not delay another's first one. Builds of one image run one after
another, in their order: none pushes over a newer one's image.
"""

from collections import Counter
from datetime import datetime

from tortoise.expressions import Q, Subquery
from tortoise.functions import Min
from tortoise.queryset import QuerySet

from engine.errors import QueueFull
from models import RUNNING, Build
from models.enums import BuildStatus
from settings import Settings

ACTIVE = (*RUNNING, BuildStatus.CANCELING)


async def next_build(settings: Settings, moment: datetime) -> int | None:
    """The build that is to run next; None when there is none, or a limit is reached."""
    running = await _running_by_user()
    if settings.builds_in_all and running.total() >= settings.builds_in_all:
        return None
    first = _due(moment).filter(id__in=Subquery(_oldest_of_each_image()))
    rows = first.annotate(first=Min("id")).group_by("created_by").values_list("created_by", "first")
    waiting: list[tuple[int, int]] = [
        (running[user], id_)
        for user, id_ in await rows
        if not settings.builds_per_user or running[user] < settings.builds_per_user
    ]
    return min(waiting)[1] if waiting else None


async def is_anything_due(moment: datetime) -> bool:
    """Whether any build waits, limits aside."""
    return await _due(moment).exists()


async def require_room(settings: Settings, user: str) -> None:
    """Raise QueueFull when the user may not queue another build now."""
    most = settings.queue_length
    if most and await Build.filter(status=BuildStatus.QUEUED, created_by=user).count() >= most:
        raise QueueFull(
            f"You have {most} builds waiting, which is as many as one user may have. Create this "
            "one once some of them have begun, or cancel some."
        )


async def positions() -> dict[int, int]:
    """The place of every queued build in the order in which they will run, from 1."""
    ahead = await _running_by_user()
    rows = Build.filter(status=BuildStatus.QUEUED).order_by("id").values_list("id", "created_by")
    turns = []
    for id_, user in await rows:
        turns.append((ahead[user], id_))
        ahead[user] += 1
    return {id_: place for place, (_, id_) in enumerate(sorted(turns), start=1)}


def _due(moment: datetime) -> QuerySet[Build]:
    return Build.filter(Q(not_before=None) | Q(not_before__lte=moment), status=BuildStatus.QUEUED)


def _oldest_of_each_image() -> QuerySet[Build]:
    unfinished = Build.filter(status__in=(BuildStatus.QUEUED, *ACTIVE))
    return unfinished.annotate(first=Min("id")).group_by("image_id").values("first")  # type: ignore[return-value]  # a query all the same


async def _running_by_user() -> Counter[str]:
    users = await Build.filter(status__in=ACTIVE).values_list("created_by", flat=True)
    return Counter(str(user) for user in users)
