"""Pushing an image, reading it back, and taking it away again."""

import asyncio
import contextlib
from collections.abc import AsyncIterator
from dataclasses import dataclass

from engine import builds
from engine.errors import BuildFailed
from engine.job import Job
from engine.locks import Locks
from engine.logs.writer import ClaimLost
from engine.registry import RegistryError, RegistryNotFound
from engine.sizes import format_bytes
from models import Image
from models.enums import Blame, BuildStatus, FailureCode

PUSH_TRIES = 3

# An engine pushes by name: two builds of one name must not find each other's image under it.
_names = Locks()


@dataclass(frozen=True, slots=True)
class Result:
    """What the registry holds now: the manifest's digest, and bytes of its compressed layers."""

    digest: str
    size: int
    platform: str
    replaced: str | None  # the digest that the tag had before


async def push(job: Job, image_id: str) -> Result:
    """Push the image under its name and read back what the registry has. Raises BuildFailed."""
    if not await builds.advance(job.services, job.build, BuildStatus.PUSHING):
        raise ClaimLost
    replaced = await current_digest(job)
    async with _named(job, image_id):
        await job.say(f"Pushing {job.image.reference}.")
        digest = await _push_again_and_again(job)
    try:
        image = await job.services.registry.image(job.image.repository, digest)
    except RegistryError as error:
        raise BuildFailed(FailureCode.REGISTRY_UNREACHABLE, error.message) from error
    await job.say(f"The registry has {digest}, {format_bytes(image.size)} compressed.")
    return Result(digest, image.size, str(image.platform), replaced)


async def withdraw(job: Job, result: Result) -> None:
    """Undo a push that a cancel overtook: the tag points to what it did before, or to nothing."""
    registry, image = job.services.registry, job.image
    if await current_digest(job) != result.digest or result.replaced == result.digest:
        return
    with contextlib.suppress(RegistryError):
        if result.replaced:
            before = await registry.document(image.repository, result.replaced)
            await registry.put_manifest(
                image.repository, image.registry_tag, before.media_type, before.body
            )
        elif not await _is_anothers(job, result.digest):
            # Registries remove a manifest with all of its tags, not one tag alone.
            await registry.delete_manifest(image.repository, result.digest)


async def _is_anothers(job: Job, digest: str) -> bool:
    same = Image.filter(repository=job.image.repository, digest=digest)
    return await same.exclude(id=job.image.id).exists()


async def current_digest(job: Job) -> str | None:
    """What the image's tag points to in the registry now; None when it is not there."""
    try:
        found = await job.services.registry.resolve(job.image.repository, job.image.registry_tag)
    except RegistryNotFound:
        return None
    except RegistryError:
        return None  # the push itself will say what is wrong with the registry
    return found.digest


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
            # By name, this removes the name alone.
            await asyncio.shield(docker.remove_image(name, force=False, noprune=True))


async def _push_again_and_again(job: Job) -> str:
    """A push that fails by the system's fault is tried again; nothing is built again for it."""
    pause = job.services.settings.retry_seconds
    for attempt in range(1, PUSH_TRIES + 1):
        try:
            return await _push_once(job)
        except BuildFailed as failure:
            if failure.blame is Blame.USER or attempt == PUSH_TRIES:
                raise
            await job.say(f"{failure.message} Pushing again in {pause:g} seconds.")
            await asyncio.sleep(pause)
            pause *= 2
    raise AssertionError("the last try either returns or raises")


async def _push_once(job: Job) -> str:
    host = f"{job.image.registry}/{job.image.repository}"
    return await job.services.docker.push(
        host, job.image.registry_tag, job.services.credentials, job.say
    )
