"""Pushing an image and reading it back from the registry."""

import asyncio
import contextlib
from collections.abc import AsyncIterator
from dataclasses import dataclass

from engine import builds
from engine.errors import BuildFailed
from engine.job import Job, Pushing
from engine.locks import Locks
from engine.logs.writer import ClaimLost
from engine.pushing_rights import is_ours, taken
from engine.registry import RegistryDenied, RegistryError
from engine.sizes import format_bytes
from engine.withdraw import was_pushed
from models.enums import Blame, BuildStatus, FailureCode

# An engine pushes by name: two builds of one name must not find each other's image under it.
_names = Locks()


class PushGivenUp(BuildFailed):
    """The registry failed at every try; building again would not help it."""


@dataclass(frozen=True, slots=True)
class Result:
    """What the registry holds now: the manifest's digest, and bytes of its compressed layers."""

    digest: str
    size: int
    platform: str


async def push(job: Job, image_id: str) -> Result:
    """Push the image under its name and read back what the registry has. Raises BuildFailed."""
    if not await builds.advance(job.services, job.build, BuildStatus.PUSHING):
        raise ClaimLost
    replaced = await tag_before(job)
    await refuse_anothers(job, replaced)
    pushing = await job.begin_to_push(image_id, replaced)
    async with _named(job, image_id):
        await job.say(f"Pushing {job.image.reference}.")
        result = await _push_again_and_again(job, pushing)
    await job.say(f"The registry has {result.digest}, {format_bytes(result.size)} compressed.")
    return result


async def refuse_anothers(job: Job, held: str | None) -> None:
    """Raise BuildFailed when the tag holds what Darkroom does not know and may not replace.

    It is on record before the push, so that a build that is tried again knows its own image.
    """
    if held and not job.build.may_replace and not await is_ours(job.image):
        raise BuildFailed(FailureCode.PUSH_DENIED, taken(job.image.name, held))
    if not job.build.may_replace and not await job.build.note(may_replace=True):
        raise ClaimLost


async def current_digest(job: Job) -> str | None:
    """What the image's tag points to in the registry now; None when it is not there.

    Raises RegistryError.
    """
    return await job.services.registry.digest_under(job.image.repository, job.image.registry_tag)


async def tag_before(job: Job) -> str | None:
    """What the tag points to before the push; None, too, where the registry does not answer.

    What a try before this one has left there counts for what it replaced itself.
    """
    left = Pushing(**job.build.pushing) if job.build.pushing else None
    try:
        held = await current_digest(job)
        if held and left and await was_pushed(job.services.registry, job.image, left, held):
            return left.replaced
        return held
    except RegistryError:
        # The push itself will say what is wrong with the registry.
        return left.replaced if left else None


@contextlib.asynccontextmanager
async def _named(job: Job, image_id: str) -> AsyncIterator[None]:
    """Give the image its name on the engine for as long as it is pushed."""
    docker, image = job.services.docker, job.image
    name = image.reference
    async with _names.holding(name):
        await docker.tag(image_id, f"{image.registry}/{image.repository}", image.registry_tag)
        try:
            yield
        finally:
            with contextlib.suppress(BuildFailed):  # an engine that is gone; the push has said so
                # By name, this removes the name alone.
                await asyncio.shield(docker.remove_image(name, force=False, noprune=True))


async def _push_again_and_again(job: Job, pushing: Pushing) -> Result:
    """A push that fails by the registry's fault is tried again; nothing is built again for it."""
    settings = job.services.settings
    pause = settings.retry_seconds
    for attempt in range(1, settings.build_attempts + 1):
        try:
            return await _push_once(job, pushing)
        except BuildFailed as failure:
            if failure.blame is Blame.USER or failure.code is FailureCode.ENGINE_UNREACHABLE:
                raise
            if attempt == settings.build_attempts:
                raise _given_up(failure, attempt) from failure
            await job.say(f"{failure.code}: {failure.message}")
            tries = f"push {attempt} of {settings.build_attempts}"
            await job.say(f"This was {tries}; the next one follows in {pause:g} seconds.")
        await asyncio.sleep(pause)
        pause *= 2
    raise AssertionError("the last try either returns or raises")


async def _push_once(job: Job, pushing: Pushing) -> Result:
    image, services = job.image, job.services
    if not await builds.renew(services, job.build):
        raise ClaimLost  # whoever has the build by now may have pushed its own image already
    pushing.digest = await services.docker.push(
        f"{image.registry}/{image.repository}", image.registry_tag, services.credentials, job.say
    )
    try:
        found = await services.registry.image(image.repository, pushing.digest)
    except RegistryDenied as error:
        raise BuildFailed(FailureCode.PUSH_DENIED, error.message) from error
    except RegistryError as error:
        raise BuildFailed(FailureCode.REGISTRY_UNREACHABLE, error.message) from error
    return Result(pushing.digest, found.size, str(found.platform))


def _given_up(failure: BuildFailed, tries: int) -> PushGivenUp:
    again = "Build it again, with rebuildImage, once the registry takes images."
    times = f"It was tried {tries} times. " if tries > 1 else ""
    return PushGivenUp(failure.code, f"{failure.message} {times}{again}")
