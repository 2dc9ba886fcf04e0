"""What was left behind: lost claims, builds that waited too long, ends that are not finished."""

import asyncio
from datetime import datetime, timedelta

from engine import builds, metrics
from engine.clock import now
from engine.job import Job, Pushing
from engine.logs.writer import LogWriter
from engine.services import Services
from engine.withdraw import go_on, withdraw
from engine.work_folders import abandoned, folder_name, remove, work_folder
from models import RUNNING, Build, Image
from models.enums import FINAL, BuildStatus, FailureCode

# Builds that one sweep looks at; the next sweep follows soon.
SWEEP = 100


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
        await builds.over(services, build)
    for folder in await abandoned(services):
        await asyncio.to_thread(remove, folder)


async def withdraw_left(services: Services) -> None:
    """Take back what ended builds have left in the registry. Raises RegistryUnreachable."""
    here = Build.filter(image__registry=services.settings.registry)
    left = here.filter(status__in=FINAL, lease_until__lt=now()).order_by("lease_until")
    for build in await left.limit(SWEEP):
        await go_on(services, build)


async def _expire(services: Services, moment: datetime) -> None:
    """End builds that have waited for longer than anybody wants their result."""
    most = services.settings.queue_seconds
    since = moment - timedelta(seconds=most)
    for build in await Build.filter(status=BuildStatus.QUEUED, created_at__lt=since).limit(SWEEP):
        message = (
            f"No worker was free for this build within {most:g} seconds, which is the limit. Start "
            "it again later; if it stays so, ask an administrator for more workers."
        )
        await builds.end_waiting(
            services,
            build.id,
            f"{FailureCode.QUEUED_TOO_LONG}: {message}",
            status=BuildStatus.FAILED,
            failure_code=FailureCode.QUEUED_TOO_LONG,
            failure_message=message,
        )


async def _take_back(services: Services, build: Build, worker: str) -> None:
    """Go on with a build whose worker has been silent for too long."""
    most = services.settings.build_attempts
    message = (
        f"The worker {worker} was lost in the middle of the build. "
        "Ask an administrator to look at its log."
    )
    canceling = build.status is BuildStatus.CANCELING
    again = not canceling and build.attempt < most
    async with builds.open_log(services, build) as writer:
        if not canceling:
            await writer.say(f"{FailureCode.WORKER_LOST}: {message}")
        await _withdraw(services, build, writer)
        if canceling:
            await writer.say("Canceled.")
        if again:
            await writer.say(f"This was try {build.attempt} of {most}; the build starts again.")
    if canceling:
        await builds.canceled(services, build)
    elif again:
        await builds.give_back(services, build)
    else:
        await builds.fail(services, build, FailureCode.WORKER_LOST, message, None)


async def _withdraw(services: Services, build: Build, writer: LogWriter) -> None:
    """Take back what the lost worker may have pushed; the next try begins as the first one did."""
    if build.pushing:
        image = await Image.get(id=build.image_id)
        folder = work_folder(services) / folder_name(build)
        job = Job(services, build, image, writer, folder, Pushing(**build.pushing))
        await withdraw(job)
