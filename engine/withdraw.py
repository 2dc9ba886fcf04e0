"""Taking back what a try has pushed, when the build does not end with it.

It is on record from before the push (`Build.pushing`) until it is taken back, or another try pushes
over it. While the registry is away, or may still take what an engine has sent it, it stays there;
once the build is over, whoever sweeps goes on with it.
"""

import asyncio
import contextlib
import json
import logging
from dataclasses import dataclass
from datetime import timedelta

from engine.clock import now
from engine.job import Job, Pushing
from engine.registry import Registry, RegistryError, RegistryUnreachable
from engine.services import Services
from models import Build, Image
from models.enums import FINAL, BuildStatus

log = logging.getLogger(__name__)

# A cancel is answered within two seconds, whatever the registry does.
_MOST_SECONDS = 1.5
# An engine that is told to stop may have sent the manifest already: so it is looked for again.
_LOOK_SECONDS = (0.0, 0.1, 0.3)
# So long after the end of a build, a slow registry may take what was sent before.
_LATEST = timedelta(seconds=60)


async def withdraw(job: Job) -> None:
    """Let the tag point to what it did before the push, or to nothing."""
    pushing = job.pushing
    if pushing is None or pushing.digest == pushing.replaced is not None:
        return  # nothing was pushed, or the same image as before
    push = Push(job.services, job.build, job.image, pushing)
    try:
        async with asyncio.timeout(_MOST_SECONDS):
            for pause in _LOOK_SECONDS:
                await asyncio.sleep(pause)
                if await push.take_back():
                    await job.say(f"{job.image.reference} was withdrawn from the registry.")
                    await job.build.note(pushing=None)
                    job.pushing = None
                    return
    except (RegistryError, TimeoutError):
        await job.say("The registry does not answer: what was pushed stays there until it does.")


async def go_on(services: Services, build: Build) -> None:
    """Take back what a build that is over has left. Raises RegistryUnreachable."""
    moment = now()
    pause = timedelta(seconds=services.settings.lease_seconds / 3)
    # An ended build has a lease for this alone: whoever renews it looks, others pass on.
    mine = Build.filter(id=build.id, lease_until=build.lease_until)
    if not build.pushing or not await mine.update(lease_until=moment + pause):
        return
    others = Build.filter(image_id=build.image_id).exclude(status__in=FINAL)
    if await others.exists():
        return  # it may push over it; what it leaves is looked at when it is over
    image = await Image.get(id=build.image_id)
    try:
        done = await Push(services, build, image, Pushing(**build.pushing)).take_back()
    except RegistryUnreachable:
        raise
    except RegistryError as error:
        log.warning("build %s: what it pushed may have stayed: %s", build.id, error.message)
        done = True
    if done or (build.finished_at or moment) < moment - _LATEST:
        await Build.filter(id=build.id).update(pushing=None, lease_until=None)


async def was_pushed(registry: Registry, image: Image, pushing: Pushing, digest: str) -> bool:
    """Whether a digest under the tag is what this try pushed, and not somebody else's push."""
    if digest in (pushing.digest, pushing.image_id):
        return True
    if pushing.digest:
        return False
    document = await registry.document(image.repository, digest)
    # Docker's own image store names an image by its config; an index has none.
    config = json.loads(document.body).get("config") or {}
    return bool(config.get("digest") == pushing.image_id)


@dataclass(frozen=True, slots=True)
class Push:
    """What a try has begun to push, and where."""

    services: Services
    build: Build
    image: Image
    pushing: Pushing

    async def take_back(self) -> bool:
        """Look for it and undo it; whether nothing of it is left. Raises RegistryError."""
        registry, image, pushing = self.services.registry, self.image, self.pushing
        digest = await registry.digest_under(image.repository, image.registry_tag)
        if digest in (None, pushing.replaced) or not await was_pushed(
            registry, image, pushing, digest
        ):
            return pushing.digest is not None  # it was seen there, and is no longer
        # Another build of the image may have succeeded with it.
        if not await Image.filter(id=image.id, digest=digest).exists():
            await self._undo(digest)
        return True

    async def _undo(self, digest: str) -> None:
        registry, image, replaced = self.services.registry, self.image, self.pushing.replaced
        if replaced:
            before = await registry.document(image.repository, replaced)
            await registry.put_manifest(
                image.repository, image.registry_tag, before.media_type, before.body
            )
        if not await self._is_anothers(digest):
            await registry.delete_manifest(image.repository, digest)
        elif not replaced:
            await self._untag(digest)

    async def _untag(self, digest: str) -> None:
        """Remove the tag alone.

        Registries have no such request: deleting a manifest removes all of its tags. So the tag is
        moved to a copy that nothing else points to, which is deleted.
        """
        registry, image = self.services.registry, self.image
        document = await registry.document(image.repository, digest)
        made = {"annotations": {"darkroom.withdrawn": str(self.build.id)}}
        copy = json.dumps(json.loads(document.body) | made).encode()
        with contextlib.suppress(RegistryError):
            moved = await registry.put_manifest(
                image.repository, image.registry_tag, document.media_type, copy
            )
            await registry.delete_manifest(image.repository, moved)

    async def _is_anothers(self, digest: str) -> bool:
        """Whether an image under another tag has this digest, or may be about to."""
        repository = self.image.repository
        if await Image.filter(repository=repository, digest=digest).exists():
            return True
        pushing = Build.filter(status=BuildStatus.PUSHING, image__repository=repository)
        return await pushing.exclude(id=self.build.id).exists()
