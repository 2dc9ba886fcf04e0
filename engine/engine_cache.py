"""The engine's build cache, kept within an age and a size.

A cache has no owner: on an engine that others use as well, theirs is trimmed too. It costs them the
time of a build and nothing else, and both limits can be turned off.
"""

import logging
from datetime import timedelta

from engine import metrics
from engine.clock import now
from engine.docker.info import PrunedCache
from engine.services import Services
from engine.sizes import format_bytes
from models import Duty

log = logging.getLogger(__name__)


async def trim(services: Services) -> None:
    """Trim the cache of this worker's engine, unless another worker has done so within the hour.

    Raises BuildFailed when the engine does not answer.
    """
    settings, docker, moment = services.settings, services.docker, now()
    engine = await docker.info()
    until = moment + timedelta(seconds=settings.housekeeping_seconds)
    if not await Duty.take(f"cache {engine.id}"[:64], settings.worker_name, moment, until):
        return
    removed: list[PrunedCache] = []
    if settings.keep_cache_days:
        age = timedelta(days=settings.keep_cache_days)
        removed.append(await docker.prune_cache(unused_for=age))
    if settings.keep_cache_bytes:
        removed.append(await docker.prune_cache(keep_bytes=settings.keep_cache_bytes))
    records, size = sum(one.records for one in removed), sum(one.size for one in removed)
    if records:
        log.info(
            "housekeeping removed %s records, %s, of the engine's build cache",
            records,
            format_bytes(size),
        )
        metrics.housekeeping_removed.labels("engine cache").inc(records)
        metrics.cache_removed_bytes.inc(size)
