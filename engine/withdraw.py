"""Taking back what a try has pushed, when the build does not end with it."""

import asyncio
import contextlib
import json
import logging
from collections.abc import Sequence

from engine.job import Job, Pushing
from engine.push import current_digest
from engine.registry import RegistryError
from models import Build, Image
from models.enums import BuildStatus

log = logging.getLogger(__name__)

# A cancel is answered within two seconds, whatever the registry does.
_MOST_SECONDS = 1.5
# An engine that is told to stop may have sent the manifest already, and a slow registry may take
# it long afterwards: so it is looked for again, at first while the cancel waits.
_LOOK_SECONDS = (0.0, 0.1, 0.3)
_LOOK_LATER_SECONDS = (1, 3, 10, 30)
_looking: set[asyncio.Task[None]] = set()


async def withdraw(job: Job, *, later: bool = True) -> None:
    """Let the tag point to what it did before the push, or to nothing.

    `later` looks again for what the registry takes only after that; not where a next try pushes.
    """
    pushing = job.pushing
    if pushing is None or pushing.digest == pushing.replaced is not None:
        return  # nothing was pushed, or the same image as before
    try:
        async with asyncio.timeout(_MOST_SECONDS):
            withdrawn = await _look(job, pushing, _LOOK_SECONDS)
    except (RegistryError, TimeoutError):
        if later:
            await job.say(
                "The registry does not answer. What was pushed is withdrawn when it does."
            )
        withdrawn = False
    if withdrawn:
        await job.say(f"{job.image.reference} was withdrawn from the registry.")
    elif later:
        task = asyncio.create_task(_look_later(job, pushing))
        _looking.add(task)  # the event loop itself keeps no task alive
        task.add_done_callback(_looking.discard)


async def _look_later(job: Job, pushing: Pushing) -> None:
    for pause in _LOOK_LATER_SECONDS:
        try:
            if await _is_built_again(job) or await _look(job, pushing, (pause,)):
                return
        except Exception as error:  # noqa: BLE001  # nobody waits for this; the next look may succeed
            log.warning("build %s: what it pushed may have stayed: %s", job.build.id, error)


async def _is_built_again(job: Job) -> bool:
    """Whether the tag is another build's by now."""
    return await Build.filter(image__name=job.image.name, id__gt=job.build.id).exists()


async def _look(job: Job, pushing: Pushing, pauses: Sequence[float]) -> bool:
    """Look for what was pushed, after each pause, and undo it; whether it is undone."""
    for pause in pauses:
        await asyncio.sleep(pause)
        digest = await current_digest(job)
        if digest in (None, pushing.replaced) or not await is_ours(job, pushing, digest):
            if pushing.digest:
                return True  # it was seen there, and is no longer
            continue
        if await Image.filter(id=job.image.id, digest=digest).exists():
            return True  # another build of the image has succeeded with it
        await _undo(job, pushing.replaced, digest)
        return True
    return False


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
