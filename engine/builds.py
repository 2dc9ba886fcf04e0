"""Builds on their way through the states, and images that follow them."""

import asyncio
import contextlib
import logging
from collections.abc import Iterable
from datetime import datetime, timedelta
from typing import Any

from engine import metrics, schedule
from engine.blobs import BlobsUnavailable
from engine.clock import now
from engine.logs.reader import archive
from engine.logs.writer import LogWriter, add_line
from engine.services import Services
from engine.work_folders import abandoned, remove
from models import RUNNING, Build, BuildStep, Duty, Image
from models.database import transaction
from models.enums import FINAL, BuildStatus, FailureCode, ImageStatus, StepStatus
from models.postgres import patience

log = logging.getLogger(__name__)

# The share of a lease that is waited for a lost database; what went before is the rest. A worker
# that could not renew its lease stops by itself, for another may have the build by now.
PATIENCE = 2 / 3

# Builds that one sweep looks at; the next sweep follows soon.
SWEEP = 100

_IMAGE_STATUS = {
    BuildStatus.QUEUED: ImageStatus.QUEUED,
    BuildStatus.SUCCEEDED: ImageStatus.READY,
    BuildStatus.FAILED: ImageStatus.FAILED,
    BuildStatus.CANCELED: ImageStatus.CANCELED,
}


async def enqueue(services: Services, build: Build, seconds: float = 0) -> None:
    """Wake a worker. Should the message be lost, one that is idle finds the build by itself."""
    services.notifier.publish("build", build.id)
    await services.queue.send(build.id, seconds)


async def claim(services: Services) -> Build | None:
    """Take the queued build that is next for this worker; None when there is none to be had."""
    with patience(services.settings.lease_seconds * PATIENCE):
        if not await schedule.is_anything_due(now()):
            return None
        build = await _take_next(services)
        if build:
            metrics.entered(build.id, build.status)
            await follow(services, build)
        return build


async def _take_next(services: Services) -> Build | None:
    settings, moment = services.settings, now()
    until = moment + timedelta(seconds=settings.lease_seconds)
    again = False

    async def take() -> Build | None:
        nonlocal again
        # Claims take turns in the whole system, so that each counts what the one before took.
        await Duty.lock("claims")
        if again:
            # The answer to the commit may have been lost: nobody else would work on that build.
            taken = Build.filter(worker=settings.worker_name, lease_until=until)
            if build := await taken.first():
                return build
        again = True
        id_ = await schedule.next_build(settings, moment)
        return await Build.claim(id_, settings.worker_name, moment, until) if id_ else None

    return await transaction(take)


async def renew(services: Services, build: Build) -> bool:
    """Keep a claim for another lease; False once it was lost or the build is being canceled."""
    return await build.renew(now() + timedelta(seconds=services.settings.lease_seconds))


async def follow(services: Services, build: Build) -> None:
    """Let the image follow its newest build, and everybody know."""

    async def write() -> None:
        image = Image.filter(id=build.image_id)
        # Written before the build is read: of two who follow at once, the second sees it all.
        await image.update(updated_at=now())
        newest = await Build.filter(image_id=build.image_id).order_by("-number").first()
        if newest:
            await image.update(status=_IMAGE_STATUS.get(newest.status, ImageStatus.BUILDING))

    await transaction(write)
    publish(services, build)


def publish(services: Services, build: Build) -> None:
    """Tell readers of the build and of its image."""
    services.notifier.publish("build", build.id)
    services.notifier.publish("image", build.image_id)


async def advance(services: Services, build: Build, to: BuildStatus) -> bool:
    """Move a running build on; False when its claim was lost or it is being canceled."""
    moved = await build.move(*RUNNING, to=to)
    if moved:
        metrics.entered(build.id, to)
        await follow(services, build)
    return moved


async def succeed(services: Services, build: Build, digest: str, size: int, platform: str) -> bool:
    """The image is in the registry. False when a cancel or another claim was quicker."""

    async def write() -> bool:
        moved = await build.move(
            BuildStatus.PUSHING,
            to=BuildStatus.SUCCEEDED,
            finished_at=now(),
            lease_until=None,
            digest=digest,
            size=size,
            platform=platform,
        )
        if moved:
            await Image.filter(id=build.image_id).update(
                digest=digest, size=size, platform=platform, current_build_id=build.id
            )
        return moved

    succeeded = await transaction(write)
    if succeeded:
        metrics.ended(build.id, BuildStatus.SUCCEEDED)
        await _over(services, build)
    return succeeded


async def fail(
    services: Services, build: Build, code: FailureCode, message: str, step: int | None
) -> None:
    """The build is over, and says why."""
    moved = await build.move(
        *RUNNING,
        to=BuildStatus.FAILED,
        finished_at=now(),
        lease_until=None,
        failure_code=code,
        failure_message=message,
        failure_step=step,
    )
    if moved:
        metrics.ended(build.id, BuildStatus.FAILED, code)
        await _over(services, build)


async def canceled(services: Services, build: Build) -> None:
    """The worker has ended what it was told to cancel."""
    moved = await build.move(
        BuildStatus.CANCELING, to=BuildStatus.CANCELED, finished_at=now(), lease_until=None
    )
    if moved:
        metrics.ended(build.id, BuildStatus.CANCELED)
        await _over(services, build)


async def give_back(
    services: Services, build: Build, *, seconds: float = 0, counts: bool = True
) -> None:
    """Queue a running build again: after a failure of the system, or when its worker stops."""
    moved = await build.move(
        *RUNNING,
        to=BuildStatus.QUEUED,
        worker=None,
        lease_until=None,
        not_before=now() + timedelta(seconds=seconds),
        attempt=build.attempt if counts else build.attempt - 1,
    )
    if moved:
        metrics.entered(build.id, BuildStatus.QUEUED)
        await BuildStep.filter(build_id=build.id).delete()
        await follow(services, build)
        await services.queue.send(build.id, seconds)


async def cancel(services: Services, build_id: int) -> Build:
    """Cancel a build, wherever it is. A build that is over stays as it is."""
    text = "Canceled while it waited."
    waited = await _end_waiting(services, build_id, text, status=BuildStatus.CANCELED)
    if not waited:
        running = Build.filter(id=build_id, status__in=RUNNING)
        await running.update(status=BuildStatus.CANCELING)
    build = await Build.get(id=build_id)
    publish(services, build)
    return build


async def _end_waiting(services: Services, build_id: int, text: str, **changes: Any) -> bool:
    """End a queued build, and say so in its log; False when it is not queued any more."""

    async def write() -> bool:
        waiting = Build.filter(id=build_id, status=BuildStatus.QUEUED)
        ended = await waiting.update(finished_at=now(), **changes)
        if ended:
            await add_line(build_id, text)
        return ended == 1

    ended = await transaction(write)
    if ended:
        build = await Build.get(id=build_id)
        metrics.ended(build.id, build.status, build.failure_code)
        await _over(services, build)
    return ended


async def wait_until_over(services: Services, build_id: int) -> None:
    """Wait until a build that is being canceled has ended, or its worker is lost."""
    limit = 2 * services.settings.lease_seconds
    with services.notifier.subscribe("build", build_id) as news, contextlib.suppress(TimeoutError):
        async with asyncio.timeout(limit):
            while await Build.filter(id=build_id).exclude(status__in=FINAL).exists():
                await news.wait()


async def sweep(services: Services) -> None:
    """Find lost claims, and builds that waited too long."""
    moment = now()
    lost = await Build.filter(
        status__in=(*RUNNING, BuildStatus.CANCELING), lease_until__lt=moment
    ).limit(SWEEP)
    for build in lost:
        worker = str(build.worker)
        until = moment + timedelta(seconds=services.settings.lease_seconds)
        if await Build.seize(build, services.settings.worker_name, moment, until):
            metrics.taken_over.inc()
            await _take_back(services, build, worker)
    await _expire(services, moment)


async def finish(services: Services) -> None:
    """Do what ended builds still need: archive their logs, remove their folders."""
    for build in await Build.filter(status__in=FINAL, log_key=None).limit(SWEEP):
        await _over(services, build)
    for folder in await abandoned(services):
        await asyncio.to_thread(remove, folder)


async def _expire(services: Services, moment: datetime) -> None:
    """End builds that have waited for longer than anybody wants their result."""
    most = services.settings.queue_seconds
    since = moment - timedelta(seconds=most)
    for build in await Build.filter(status=BuildStatus.QUEUED, created_at__lt=since).limit(SWEEP):
        message = (
            f"No worker was free for this build within {most:g} seconds, which is the limit. Start "
            "it again later; if it stays so, ask an administrator for more workers."
        )
        await _end_waiting(
            services,
            build.id,
            f"{FailureCode.QUEUED_TOO_LONG}: {message}",
            status=BuildStatus.FAILED,
            failure_code=FailureCode.QUEUED_TOO_LONG,
            failure_message=message,
        )


async def _take_back(services: Services, build: Build, worker: str) -> None:
    """Go on with a build whose worker has been silent for too long."""
    if build.status is BuildStatus.CANCELING:
        await canceled(services, build)
        return
    most = services.settings.build_attempts
    message = (
        f"The worker {worker} was lost in the middle of the build. "
        "Ask an administrator to look at its log."
    )
    last = build.attempt >= most
    async with open_log(services, build) as log:
        await log.say(f"{FailureCode.WORKER_LOST}: {message}")
        if not last:
            await log.say(f"This was try {build.attempt} of {most}; the build starts again.")
    if last:
        await fail(services, build, FailureCode.WORKER_LOST, message, None)
    else:
        await give_back(services, build)


def open_log(
    services: Services, build: Build, secrets: Iterable[str] = ()
) -> contextlib.AbstractAsyncContextManager[LogWriter]:
    """The log of a claimed build, to be written; `secrets` never reach it."""
    limit = services.settings.log_bytes
    return LogWriter(build, services.notifier, limit=limit, secrets=secrets).opened()


async def _over(services: Services, build: Build) -> None:
    """What remains to be done once a build is over; `sweep` does it when this process cannot."""
    unfinished = BuildStep.filter(
        build_id=build.id, status__in=(StepStatus.PENDING, StepStatus.RUNNING)
    )
    await unfinished.update(status=StepStatus.CANCELED)
    await follow(services, build)
    try:
        await archive(build, services.blobs)
    except BlobsUnavailable as error:
        # The end is on record already; the lines stay where they are until a sweep succeeds.
        log.warning("the log of build %s is not archived yet: %s", build.id, error.message)
