"""What a worker does with a build that it has claimed: run its pipeline, record how it ended.

However it ends, exactly one thing is recorded: success, a failure, a cancel, another try, or
nothing at all when the claim is another's by now.
"""

import asyncio
import contextlib
import errno
import logging
from enum import Enum

from engine import builds, metrics, pipeline
from engine.blobs import BlobsUnavailable
from engine.context_ids import for_build
from engine.errors import BuildFailed
from engine.fencing import give_way
from engine.git.finishing import in_full
from engine.job import Job
from engine.logs.writer import ClaimLost
from engine.push import PushGivenUp, Result
from engine.sealing import SealBroken
from engine.services import Services
from engine.sources.git import about
from engine.tracing import span
from engine.withdraw import withdraw
from engine.work_folders import folder_name, remove, work_folder
from models import Build, Image
from models.enums import Blame, BuildStatus, FailureCode
from models.postgres import AWAY, patience

log = logging.getLogger(__name__)


class Interruption(Enum):
    """Why a pipeline was stopped from outside."""

    CANCELED = "canceled"
    CLAIM_LOST = "claim lost"
    TIMEOUT = "timeout"


class Interrupted(Exception):
    """The pipeline was stopped from outside, and has cleaned up."""

    def __init__(self, why: Interruption) -> None:
        super().__init__(why.value)
        self.why = why


async def work(services: Services, build: Build) -> None:
    """Bring a build that this worker has claimed to its end."""
    traced = span("run build", build.traceparent, build=build.id, attempt=build.attempt)
    with for_build(build.id), traced:
        await _work(services, build)


async def _work(services: Services, build: Build) -> None:
    image = await Image.get(id=build.image_id)
    secrets = _secrets(services, image)
    folder = work_folder(services) / folder_name(build)
    waiting = patience(services.settings.lease_seconds * builds.PATIENCE)
    with waiting, contextlib.suppress(ClaimLost):
        async with builds.open_log(services, build, secrets) as writer:
            await _run(Job(services, build, image, writer, folder))
    await _settle(services, build)


async def _run(job: Job) -> None:
    """Run the pipeline to whatever end, and record it."""
    try:
        result = await _supervised(job)
    except BuildFailed as failure:
        await _failed(job, failure)
    except Interrupted as interrupted:
        await _interrupted(job, interrupted.why)
    except asyncio.CancelledError:
        await asyncio.shield(_handed_back(job))
        raise
    except ClaimLost:
        await _lost(job)
    except Exception as error:
        log.exception("build %s: the pipeline itself failed", job.build.id)
        await _failed(job, BuildFailed(FailureCode.INTERNAL, _unexpected(error)))
    else:
        await job.say(f"Done: {job.image.reference} is {result.digest}.")
        await job.log.flush()
        with span("record"):
            succeeded = await builds.succeed(
                job.services, job.build, result.digest, result.size, result.platform
            )
        if not succeeded:
            await _lost(job)


def _unexpected(error: Exception) -> str:
    if isinstance(error, BlobsUnavailable):
        return error.message
    if isinstance(error, OSError) and error.errno in (errno.ENOSPC, errno.EDQUOT):
        return "The worker's disk is full. Ask an administrator to make room on it."
    return "Darkroom itself failed. Ask an administrator to look at the worker's log."


async def _supervised(job: Job) -> Result:
    """The pipeline under a time limit, a lease and a cancel. Raises Interrupted."""
    running = asyncio.create_task(_in_folder(job))
    watching = asyncio.create_task(_watch(job))
    limit = job.services.settings.build_seconds
    try:
        done, _ = await asyncio.wait(
            {running, watching}, timeout=limit, return_when=asyncio.FIRST_COMPLETED
        )
        if running in done:
            return running.result()
        why = watching.result() if watching in done else Interruption.TIMEOUT
    finally:
        for task in (running, watching):
            task.cancel()
        # The pipeline cleans up behind itself before anything is recorded.
        await asyncio.gather(running, watching, return_exceptions=True)
    raise Interrupted(why)


async def _watch(job: Job) -> Interruption:
    """Renew the lease until the build is canceled or somebody else's."""
    services, build = job.services, job.build
    lease = services.settings.lease_seconds
    with services.notifier.subscribe("build", build.id) as news:
        while True:
            try:
                async with asyncio.timeout(lease * builds.PATIENCE):
                    renewed = await builds.renew(services, build)
            except AWAY as error:
                log.warning("build %s: the database is away: %s", build.id, type(error).__name__)
                return Interruption.CLAIM_LOST
            if not renewed:
                return await _why_not_renewed(build)
            await news.wait(lease * (1 - builds.PATIENCE))


async def _why_not_renewed(build: Build) -> Interruption:
    canceling = await build.mine(BuildStatus.CANCELING).exists()
    return Interruption.CANCELED if canceling else Interruption.CLAIM_LOST


async def _lost(job: Job) -> None:
    """A write was refused: a cancel came first, or the build is another worker's by now."""
    await _interrupted(job, await _why_not_renewed(job.build))


async def _interrupted(job: Job, why: Interruption) -> None:
    if why is Interruption.CLAIM_LOST:
        log.warning("the claim of the build was lost")
        metrics.leases_lost.inc()
        await give_way(job)
        raise ClaimLost
    if why is Interruption.CANCELED:
        await _canceled(job)
        return
    await withdraw(job)
    limit = job.services.settings.build_seconds
    message = f"The build took longer than {limit:g} seconds, which is the limit for one build."
    await _failed(job, BuildFailed(FailureCode.TIMEOUT, message))


async def _canceled(job: Job) -> None:
    await withdraw(job)
    await job.say("Canceled.")
    await job.log.flush()
    await builds.canceled(job.services, job.build)


async def _failed(job: Job, failure: BuildFailed) -> None:
    """Record a failure, or another try when the system is to blame and tries are left."""
    settings, build = job.services.settings, job.build
    if job.pushing and job.pushing.digest:
        await withdraw(job)
    message = job.log.mask(failure.message)
    again = (
        failure.blame is Blame.SYSTEM
        and not isinstance(failure, PushGivenUp)
        and build.attempt < settings.build_attempts
    )
    pause = settings.retry_seconds * 2 ** (build.attempt - 1)
    await job.log.say(f"{failure.code}: {message}", failure.step)
    if again:
        tries = f"try {build.attempt} of {settings.build_attempts}"
        await job.say(f"This was {tries}; the next one follows in {pause:g} seconds.")
    await job.log.flush()
    if again:
        await builds.give_back(job.services, build, seconds=pause)
    else:
        await builds.fail(job.services, build, failure.code, message, failure.step)


async def _handed_back(job: Job) -> None:
    if await job.build.mine(BuildStatus.CANCELING).exists():
        await _canceled(job)
        return
    await job.say("This worker stops; the build starts again on another.")
    await job.log.flush()
    await builds.give_back(job.services, job.build, counts=False)


async def _settle(services: Services, build: Build) -> None:
    """A cancel that came while an end was being recorded is still owed its own end."""
    if await build.mine(BuildStatus.CANCELING).exists():
        await builds.canceled(services, build)


def _secrets(services: Services, image: Image) -> list[str]:
    secrets = [services.settings.registry_password.get_secret_value()]
    if image.sealed_token:
        with contextlib.suppress(SealBroken):  # the source says so, if it needs the token
            secrets.append(services.sealer.open(image.sealed_token, about=about(image.name)))
    return secrets


async def _in_folder(job: Job) -> Result:
    """The pipeline with its folder, which is removed whatever happens."""
    await asyncio.to_thread(job.folder.mkdir, parents=True)
    try:
        return await pipeline.run(job)
    finally:
        await in_full(asyncio.to_thread(remove, job.folder))
