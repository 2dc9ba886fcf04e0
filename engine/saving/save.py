"""Saving a running container, as a list: locate, check, pause, read, resume, push, record.

The middle happens on the container's node; this is the worker's side of it.
"""

import asyncio
import contextlib
import logging
from typing import Any

import settings as settings_module
from engine import builds
from engine.cluster import Cluster, ClusterError, ClusterUnreachable
from engine.errors import BuildFailed
from engine.installation import instance_of
from engine.job import Job
from engine.logs.writer import ClaimLost
from engine.push import PushGivenUp, Result, refuse_anothers, tag_before
from engine.registry import RegistryError
from engine.saving import changed_files
from engine.saving.described import described, mounts
from engine.saving.events import Phase, Saved
from engine.saving.locating import Located, locate
from engine.saving.manifests import Where, job_manifest
from engine.saving.node_job import NodeJob, OnEvent
from engine.saving.plan import Plan
from engine.saving.progress import Progress
from engine.saving.sweeping import remove_jobs
from engine.sizes import format_bytes
from models.enums import BuildStatus, FailureCode, Origin

log = logging.getLogger(__name__)

SAVED = frozenset({Origin.TRAINING_TASK, Origin.CONTAINER})
"""The origins whose builds save a container."""

_CLEAN_SECONDS = 60.0


async def save(job: Job) -> Result:
    """Save the container of the job's image and push it. Raises BuildFailed, or ClaimLost."""
    try:
        return await _save(job, _configured(job))
    except ClusterUnreachable as error:
        raise BuildFailed(FailureCode.ENGINE_UNREACHABLE, error.message) from error
    except ClusterError as error:
        raise BuildFailed(FailureCode.COMMIT_FAILED, error.message) from error


async def _save(job: Job, cluster: Cluster) -> Result:
    progress = Progress(job, await tag_before(job))
    try:
        await _introduce(job)
        await refuse_anothers(job, progress.replaced)
        # What an earlier try left running would save the same container beside us.
        await remove_jobs(cluster, job.services.settings, job.build.id)
        async with progress.during(Phase.LOCATE):
            found = await locate(cluster, job.image, job.build)
            await _say_where(job, progress, found)
        saved = await _on_the_node(job, cluster, found, progress)
        async with progress.during(Phase.RECORD):
            return await _record(job, found, saved, progress)
    finally:
        await asyncio.shield(progress.close())


def _configured(job: Job) -> Cluster:
    cluster, settings = job.services.cluster, job.services.settings
    if cluster is None or not settings.save_image:
        raise BuildFailed(
            FailureCode.COMMIT_FAILED,
            "This worker has no cluster, or no image for the saving Jobs. Ask an administrator to "
            "set DARKROOM_KUBECONFIG and DARKROOM_SAVE_IMAGE.",
        )
    return cluster


async def _introduce(job: Job) -> None:
    source = job.image.source
    await job.say(
        f"Build {job.build.number} of {job.image.name}: the container {source['container']} of "
        f"the pod {source['namespace']}/{source['pod']}."
    )
    if not await builds.advance(job.services, job.build, BuildStatus.BUILDING):
        raise ClaimLost


async def _say_where(job: Job, progress: Progress, found: Located) -> None:
    container = found.container
    await progress.on_event(
        f"It runs on {found.pod.node}, made from {container.image}, as {container.id}."
    )
    for mount in mounts(found.pod, container.name):
        await progress.on_event(f"{mount['path']} is mounted: {mount['volume']}. It is not saved.")


async def _on_the_node(job: Job, cluster: Cluster, found: Located, progress: Progress) -> Saved:
    """Run the Job, and once more to clean up where it could not say that it did."""
    plan, where = _plan(job, found), _where(found)
    node_job = _node_job(job, cluster, plan, where, progress.on_event)
    try:
        await node_job.run()
    finally:
        if node_job.started and not node_job.clean:
            await asyncio.shield(_clean_up(job, cluster, plan, where))
    if progress.saved is None:
        raise _failure(progress, node_job.ended_by)
    return progress.saved


async def _clean_up(job: Job, cluster: Cluster, plan: Plan, where: Where) -> None:
    """The Job was killed: let the container go on, and leave nothing on the node."""

    async def ignore(_: object) -> None:
        """What it says is of no interest; whether it is clean is."""

    cleaning = _node_job(job, cluster, plan, where, ignore, only_clean=True)
    with contextlib.suppress(ClusterError, BuildFailed, TimeoutError):
        async with asyncio.timeout(_CLEAN_SECONDS):
            await cleaning.run()
    if not cleaning.clean:
        log.error("build %s: %s may still be paused", job.build.id, plan.container_id)
        await job.say(
            "It could not be seen whether the container goes on. Ask an administrator to look at "
            f"it on the node {where.node}."
        )


def _node_job(
    job: Job,
    cluster: Cluster,
    plan: Plan,
    where: Where,
    on_event: OnEvent,
    *,
    only_clean: bool = False,
) -> NodeJob:
    settings, login = job.services.settings, job.services.credentials
    manifest = job_manifest(
        settings, plan, where, job.build.id, only_clean=only_clean, login=login is not None
    )
    return NodeJob(
        cluster.api,
        manifest,
        login,
        settings.save_start_seconds,
        on_event,
        settings.save_report_host,
    )


def _where(found: Located) -> Where:
    runtime, node = found.container.runtime, found.pod.node
    if runtime is None or node is None:
        kind = found.container.id.partition("://")[0]
        raise BuildFailed(
            FailureCode.CONTAINER_NOT_RUNNING,
            f"The container's node runs containers with {kind}, from which Darkroom cannot save; "
            "Docker Engine and containerd are what it can.",
        )
    return Where(node, runtime)


def _plan(job: Job, found: Located) -> Plan:
    settings, image, container = job.services.settings, job.image, found.container
    return Plan(
        key=f"{instance_of(settings)}-{job.build.id}",
        runtime=_where(found).runtime,
        container_id=container.bare_id,
        image=container.image,
        image_id=container.image_id.partition("://")[2] or container.image_id,
        pause=image.source["pause"],
        registry=image.registry,
        insecure=settings.registry_insecure,
        repository=image.repository,
        tag=image.registry_tag,
        layer_bytes=settings.save_layer_bytes,
        push_tries=settings.build_attempts,
        retry_seconds=settings.retry_seconds,
        author=job.build.created_by,
        labels=_labels(job, found),
    )


def _labels(job: Job, found: Located) -> dict[str, str]:
    """Where the image came from, in the words of OCI's annotations."""
    pod, container = found.pod, found.container
    place = f"{pod.namespace}/{pod.name}"
    labels = {
        "org.opencontainers.image.title": job.image.name,
        "org.opencontainers.image.description": (
            f"The container {container.name} of the pod {place}, saved while it ran."
        ),
        "org.opencontainers.image.authors": job.build.created_by,
        "org.opencontainers.image.base.name": container.image,
        "darkroom.pod": place,
        "darkroom.container": container.name,
    }
    if digest := container.image_id.partition("@")[2]:
        labels["org.opencontainers.image.base.digest"] = digest
    return labels


def _failure(progress: Progress, ended_by: str | None) -> BuildFailed:
    """Why there is no image."""
    failed, step = progress.failed, progress.step
    if failed is None and ended_by == "DeadlineExceeded":
        seconds = progress.job.services.settings.save_seconds
        message = f"Saving took longer than {seconds:g} seconds, which is the limit for it."
        return BuildFailed(FailureCode.TIMEOUT, message, step)
    if failed is None:
        message = "The saving Job was killed on its node. The container goes on as before."
        return BuildFailed(FailureCode.COMMIT_FAILED, message, step)
    if failed.code is FailureCode.REGISTRY_UNREACHABLE and progress.phase is Phase.PUSH:
        tries = progress.job.services.settings.build_attempts
        message = f"{failed.message} It was tried {tries} times. Save again once it takes images."
        return PushGivenUp(failed.code, message, step)
    return BuildFailed(failed.code, failed.message, step)


async def _record(job: Job, found: Located, saved: Saved, progress: Progress) -> Result:
    """Put on record what was saved, and read back what the registry has."""
    try:
        image = await job.services.registry.image(job.image.repository, saved.digest)
    except RegistryError as error:
        raise BuildFailed(FailureCode.REGISTRY_UNREACHABLE, error.message, progress.step) from error
    await progress.on_event(
        f"The registry has {saved.digest}, {format_bytes(image.size)} compressed; "
        f"{format_bytes(saved.layer_size)} of it are new."
    )
    key = await changed_files.keep(job.services.blobs, job.build, progress.changes)
    noted = await job.build.note(
        environment=_environment(saved),
        bases=[{"reference": found.container.image, "digest": saved.base_digest}],
        container=_container(job, found, saved) | {"changesKey": key},
    )
    if not noted:
        raise ClaimLost
    return Result(saved.digest, image.size, str(image.platform))


def _environment(saved: Saved) -> dict[str, Any]:
    return {
        "engine": saved.runtime_name,
        "engineVersion": saved.runtime_version,
        "darkroom": settings_module.VERSION,
    }


def _container(job: Job, found: Located, saved: Saved) -> dict[str, Any]:
    pod, container = found.pod, found.container
    return {
        "namespace": pod.namespace,
        "pod": pod.name,
        "container": container.name,
        "node": pod.node,
        "containerId": container.id,
        "image": container.image,
        "imageId": container.image_id,
        "paused": job.image.source["pause"],
        "savedBy": job.build.created_by,
        "written": saved.written,
        "layerSize": saved.layer_size,
        "changes": saved.changes,
        "mounts": mounts(pod, container.name),
        "described": described(pod, container.name),
    }
