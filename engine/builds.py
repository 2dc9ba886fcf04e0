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
from models import RUNNING, Build, BuildStep, Duty, Image
from models.database import transaction
from models.enums import FINAL, BuildStatus, FailureCode, ImageStatus, StepStatus
from models.postgres import patience

log = logging.getLogger(__name__)

# The share of a lease that is waited for a lost database; what went before is the rest. A worker
# that could not renew its lease stops by itself, for another may have the build by now.
PATIENCE = 2 / 3

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
            pushing=None,
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
        await over(services, build)
    return succeeded


async def fail(
    services: Services, build: Build, code: FailureCode, message: str, step: int | None
) -> None:
    """The build is over, and says why."""
    moved = await build.move(
        *RUNNING,
        to=BuildStatus.FAILED,
        finished_at=now(),
        lease_until=_withdrawing(build),
        failure_code=code,
        failure_message=message,
        failure_step=step,
    )
    if moved:
        metrics.ended(build.id, BuildStatus.FAILED, code)
        await over(services, build)


async def canceled(services: Services, build: Build) -> None:
    """The worker has ended what it was told to cancel."""
    moved = await build.move(
        BuildStatus.CANCELING,
        to=BuildStatus.CANCELED,
        finished_at=now(),
        lease_until=_withdrawing(build),
    )
    if moved:
        metrics.ended(build.id, BuildStatus.CANCELED)
        await over(services, build)


async def give_back(
    services: Services, build: Build, *, seconds: float = 0, counts: bool = True
) -> None:
    """Queue a running build again: after a failure of the system, or when its worker stops."""
    moved = await build.move(
        *RUNNING,
        to=BuildStatus.QUEUED,
        worker=None,
        lease_until=_withdrawing(build),
        not_before=now() + timedelta(seconds=seconds),
        attempt=build.attempt if counts else build.attempt - 1,
    )
    if moved:
        metrics.entered(build.id, BuildStatus.QUEUED)
        await BuildStep.filter(build_id=build.id).delete()
        await follow(services, build)
        await services.queue.send(build.id, seconds)


def _withdrawing(build: Build) -> datetime | None:
    """The lease of a build that nobody works on: what it has left in the registry is withdrawn.

    Should it have another try, that goes first.
    """
    return now() if build.pushing else None


async def cancel(services: Services, build_id: int) -> Build:
    """Cancel a build, wherever it is. A build that is over stays as it is."""
    text = "Canceled while it waited."
    waited = await end_waiting(services, build_id, text, status=BuildStatus.CANCELED)
    if not waited:
        running = Build.filter(id=build_id, status__in=RUNNING)
        await running.update(status=BuildStatus.CANCELING)
    build = await Build.get(id=build_id)
    publish(services, build)
    return build


async def end_waiting(services: Services, build_id: int, text: str, **changes: Any) -> bool:
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
        await over(services, build)
    return ended


async def wait_until_over(services: Services, build_id: int) -> None:
    """Wait until a build that is being canceled has ended, or its worker is lost."""
    limit = 2 * services.settings.lease_seconds
    with services.notifier.subscribe("build", build_id) as news, contextlib.suppress(TimeoutError):
        async with asyncio.timeout(limit):
            while await Build.filter(id=build_id).exclude(status__in=FINAL).exists():
                await news.wait()


def open_log(
    services: Services, build: Build, secrets: Iterable[str] = ()
) -> contextlib.AbstractAsyncContextManager[LogWriter]:
    """The log of a claimed build, to be written; `secrets` never reach it."""
    limit = services.settings.log_bytes
    return LogWriter(build, services.notifier, limit=limit, secrets=secrets).opened()


async def over(services: Services, build: Build) -> None:
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
