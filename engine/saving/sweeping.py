"""Saving Jobs that nobody follows any more: of workers that were killed."""

import logging

from engine.cluster import Cluster, ClusterError
from engine.cluster.api import Object
from engine.installation import instance_of
from engine.saving.manifests import BUILD, INSTANCE, labels
from engine.saving.node_job import jobs_path, remove
from engine.services import Services
from models import RUNNING, Build
from models.enums import BuildStatus
from settings import Settings

log = logging.getLogger(__name__)


async def remove_jobs(cluster: Cluster, settings: Settings, build_id: int) -> None:
    """Remove every Job of a build, and wait until they are gone. Raises ClusterError.

    They let their container go on when they are stopped.
    """
    found_by = labels(settings, build_id)
    selector = f"{INSTANCE}={found_by[INSTANCE]},{BUILD}={build_id}"
    for job in await _jobs(cluster, settings, selector):
        await remove(cluster.api, settings.save_namespace, job["metadata"]["name"])


async def sweep(services: Services) -> None:
    """Remove the Jobs of builds that are over, or that wait for another try."""
    cluster, settings = services.cluster, services.settings
    if cluster is None or not settings.save_image:
        return
    try:
        jobs = await _jobs(cluster, settings, f"{INSTANCE}={instance_of(settings)}")
        for job in jobs:
            if await _is_abandoned(int(job["metadata"]["labels"][BUILD])):
                await remove(cluster.api, settings.save_namespace, job["metadata"]["name"])
    except ClusterError as error:
        log.warning("saving Jobs cannot be looked after: %s", error.message)


async def _jobs(cluster: Cluster, settings: Settings, selector: str) -> list[Object]:
    return await cluster.api.items(jobs_path(settings.save_namespace), labelSelector=selector)


async def _is_abandoned(build_id: int) -> bool:
    running = Build.filter(id=build_id, status__in=(*RUNNING, BuildStatus.CANCELING))
    return not await running.exists()
