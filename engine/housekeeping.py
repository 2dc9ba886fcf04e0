"""Removing what is old: builds, their logs, and what no build refers to any more.

It runs by itself, in one process of the whole system at a time, and says what it removed. Kept in
any case: an image's newest build, the one that made its current digest, those that repeat a record
exactly and those they repeat, and everything that is not over.
"""

import logging
from collections import Counter
from datetime import datetime, timedelta

from tortoise.expressions import Q, Subquery
from tortoise.functions import Count, Max, Sum
from tortoise.queryset import QuerySet

from engine import image_index, metrics, stored_contexts
from engine.clock import now
from engine.logs import archive
from engine.saving import changed_files
from engine.services import Services
from models import Build, Duty, Image
from models.enums import FINAL
from settings import Settings

log = logging.getLogger(__name__)

# Rows of one round; the next hour goes on.
BATCH = 500


async def clean_if_due(services: Services) -> None:
    """Clean, unless another process of the system has done so within the hour."""
    settings, moment = services.settings, now()
    until = moment + timedelta(seconds=settings.housekeeping_seconds)
    if await Duty.take("housekeeping", settings.worker_name, moment, until):
        await clean(services, moment)


async def clean(services: Services, moment: datetime) -> Counter[str]:
    """Remove what is beyond its age, number or size; how many of each kind."""
    removed: Counter[str] = Counter()
    removed["builds"] = await _remove_builds(services, moment)
    removed["logs"] = await _remove_logs(services, moment)
    if most := services.settings.keep_context_bytes:
        await stored_contexts.give_up_beyond(services.blobs, most, _removable())
    removed["contexts"] = await stored_contexts.remove_unreferenced(services.blobs, moment)
    removed["changes"] = await image_index.forget_changes()
    for kind, count in removed.items():
        if count:
            log.info("housekeeping removed %s %s", count, kind)
            metrics.housekeeping_removed.labels(kind).inc(count)
    return removed


async def _remove_builds(services: Services, moment: datetime) -> int:
    settings = services.settings
    before = moment - timedelta(days=settings.keep_build_days)
    old = await _removable().filter(finished_at__lt=before).order_by("id").limit(BATCH)
    ids = {build.id for build in old} | set(await _beyond_number(settings))
    for id_ in ids:
        await Build.filter(id=id_).delete()
        for key in (archive.key_of(id_), changed_files.key_of(id_)):
            await services.blobs.delete(key)
    return len(ids)


async def _beyond_number(settings: Settings) -> list[int]:
    """Builds of images that have more than are kept, the oldest first."""
    counts = Build.all().annotate(builds=Count("id")).group_by("image_id")
    rows = counts.filter(builds__gt=settings.keep_builds).limit(BATCH)
    found: list[int] = []
    for image_id, count in await rows.values_list("image_id", "builds"):
        most = int(count) - settings.keep_builds
        oldest = _removable().filter(image_id=image_id).order_by("number").limit(min(most, BATCH))
        found += [build.id for build in await oldest.only("id")]
    return found


async def _remove_logs(services: Services, moment: datetime) -> int:
    settings = services.settings
    kept = _removable().filter(log_key__not="", log_key__not_isnull=True)
    before = moment - timedelta(days=settings.keep_log_days)
    old = await kept.filter(finished_at__lt=before).order_by("id").limit(BATCH)
    removed = {build.id: build for build in old}
    if settings.keep_log_bytes:
        (row,) = await Build.all().annotate(total=Sum("log_bytes")).values("total")
        excess = int(row["total"] or 0) - settings.keep_log_bytes
        for build in await kept.order_by("finished_at").limit(BATCH):
            if excess <= 0:
                break
            excess -= build.log_bytes
            removed[build.id] = build
    for id_ in removed:
        # Without lines there is nothing to wait for: a reader finds an empty log that is over.
        await Build.filter(id=id_).update(log_key="", log_lines=0, log_bytes=0)
        await services.blobs.delete(archive.key_of(id_))
    return len(removed)


def _removable() -> QuerySet[Build]:
    newest = Build.all().annotate(newest=Max("id")).group_by("image_id").values("newest")
    current = Image.filter(current_build_id__not_isnull=True).values("current_build_id")
    repeated = Build.filter(pinned=True, rebuild_of_id__not_isnull=True).values("rebuild_of_id")
    kept = Q(id__in=Subquery(newest)) | Q(id__in=Subquery(current)) | Q(id__in=Subquery(repeated))
    return Build.filter(~kept, status__in=FINAL, pinned=False)
