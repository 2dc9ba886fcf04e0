"""Putting right what a worker did to the registry after its claim was lost.

The database refuses what such a worker writes, by the claim's fence. A registry knows no fence: the
claim is renewed right before a push, but a worker, or its engine, may freeze after that and push
late. Whoever notices puts the tag back to what is on record.
"""

import asyncio
import logging

from engine.errors import EngineError
from engine.job import Job, Pushing
from engine.push import current_digest
from engine.withdraw import was_pushed
from models import RUNNING, Build, Image

log = logging.getLogger(__name__)

# An engine that is told to stop may have sent the manifest already, and not been answered yet.
_LOOK_AGAIN_SECONDS = (0.0, 0.3, 1.0)


async def give_way(job: Job) -> None:
    """Let the tag point to what is on record, should this try have pushed after it lost its claim.

    While another try of the same image runs there is nothing to do: it pushes over it.
    """
    if job.pushing is None:
        return
    try:
        for pause in _LOOK_AGAIN_SECONDS:
            await asyncio.sleep(pause)
            await _give_way(job, job.pushing)
    except EngineError as error:
        log.warning("build %s: a late push was not put right: %s", job.build.id, error.message)


async def _give_way(job: Job, pushing: Pushing) -> None:
    image = await Image.get_or_none(id=job.image.id)
    if image is None or image.digest is None:
        return
    pushed = await current_digest(job)
    if pushed in (None, image.digest):
        return
    if not await was_pushed(job.services.registry, image, pushing, pushed):
        return
    if await Build.filter(image_id=image.id, status__in=RUNNING).exists():
        return
    await _point_tag(job, image.digest)
    log.warning("build %s: a late push of %s was put right", job.build.id, image.reference)


async def _point_tag(job: Job, digest: str) -> None:
    """Let the image's tag point to a manifest that the registry has. Raises RegistryError."""
    registry, image = job.services.registry, job.image
    document = await registry.document(image.repository, digest)
    await registry.put_manifest(
        image.repository, image.registry_tag, document.media_type, document.body
    )
