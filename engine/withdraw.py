"""Taking back what a try has pushed, when the build does not end with it."""

import asyncio
import contextlib
import json

from engine.job import Job, Pushing
from engine.push import current_digest
from engine.registry import RegistryError
from models import Build, Image
from models.enums import BuildStatus

# An engine that is told to stop may have sent the manifest already, and not been answered yet.
_LOOK_AGAIN_SECONDS = (0.1, 0.3)
# A cancel is answered within two seconds, whatever the registry does.
_MOST_SECONDS = 1.5


async def withdraw(job: Job) -> None:
    """Let the tag point to what it did before the push, or to nothing."""
    if job.pushing is None:
        return
    try:
        async with asyncio.timeout(_MOST_SECONDS):
            await _withdraw(job, job.pushing)
    except (RegistryError, TimeoutError):
        await job.say(f"The registry did not answer: {job.image.reference} may have stayed there.")


async def _withdraw(job: Job, pushing: Pushing) -> None:
    if pushing.digest == pushing.replaced is not None:
        return  # the same image as before
    pauses = (0.0,) if pushing.digest else (0.0, *_LOOK_AGAIN_SECONDS)
    for pause in pauses:
        await asyncio.sleep(pause)
        digest = await current_digest(job)
        if digest in (None, pushing.replaced) or not await is_ours(job, pushing, digest):
            continue
        if not await Image.filter(id=job.image.id, digest=digest).exists():
            await _undo(job, pushing.replaced, digest)
            await job.say(f"{job.image.reference} was withdrawn from the registry.")
        return


async def is_ours(job: Job, pushing: Pushing, digest: str) -> bool:
    """Whether the tag points to what this try pushed, and not to somebody else's push."""
    if digest in (pushing.digest, pushing.image_id):
        return True
    if pushing.digest:
        return False
    document = await job.services.registry.document(job.image.repository, digest)
    # Docker's own image store names an image by its config; an index has none.
    config = json.loads(document.body).get("config") or {}
    return bool(config.get("digest") == pushing.image_id)


async def _undo(job: Job, replaced: str | None, digest: str) -> None:
    registry, image = job.services.registry, job.image
    if replaced:
        before = await registry.document(image.repository, replaced)
        await registry.put_manifest(
            image.repository, image.registry_tag, before.media_type, before.body
        )
    if not await _is_anothers(job, digest):
        await registry.delete_manifest(image.repository, digest)
    elif not replaced:
        await _untag(job, digest)


async def _untag(job: Job, digest: str) -> None:
    """Remove the tag alone.

    Registries have no such request: deleting a manifest removes all of its tags. So the tag is
    moved to a copy that nothing else points to, which is deleted.
    """
    registry, image = job.services.registry, job.image
    document = await registry.document(image.repository, digest)
    copy = json.loads(document.body) | {"annotations": {"darkroom.withdrawn": str(job.build.id)}}
    with contextlib.suppress(RegistryError):
        moved = await registry.put_manifest(
            image.repository, image.registry_tag, document.media_type, json.dumps(copy).encode()
        )
        await registry.delete_manifest(image.repository, moved)


async def _is_anothers(job: Job, digest: str) -> bool:
    """Whether an image under another tag has this digest, or may be about to."""
    if await Image.filter(repository=job.image.repository, digest=digest).exists():
        return True
    pushing = Build.filter(status=BuildStatus.PUSHING, image__repository=job.image.repository)
    return await pushing.exclude(id=job.build.id).exists()
