"""Images that the registry has already: put on record as they are, and watched.

What is on record stays: when the registry's tag moves or goes, the image is marked, and nobody's
digest is changed behind their back.
"""

from dataclasses import asdict
from datetime import timedelta
from typing import Any

from tortoise.expressions import Q

from engine import reading_rights
from engine.clock import now
from engine.errors import Forbidden, NotFound, Unavailable
from engine.images import Draft, check, new_image, put_on_record
from engine.reference import ImageName
from engine.registry import ImageInfo, RegistryDenied, RegistryError, RegistryNotFound
from engine.services import Services
from models import Image
from models.enums import ImageStatus, Origin, RegistryState

# Images whose tag is looked up in one sweep: a registry is not to be flooded by its own users.
CHECKS = 5


async def register(services: Services, draft: Draft, owner: str) -> Image:
    """Put an image of the registry on record; nothing is built.

    Raises InvalidInput, NameTaken, NotFound, Forbidden and Unavailable.
    """
    name, tag_ids = await check(services, draft, [])
    reading_rights.check(services.settings, name.repository, draft.author)
    found = await _look_up(services, name)
    image = new_image(
        services,
        draft,
        name,
        owner,
        origin=Origin.EXISTING,
        source={"reference": str(name.at(services.settings.registry))},
        status=ImageStatus.READY,
        digest=found.digest,
        size=found.size,
        platform=str(found.platform),
        details=_details(found),
        registry_state=RegistryState.PRESENT,
        registry_digest=found.digest,
        checked_at=now(),
    )
    await put_on_record(services, image, tag_ids)
    return image


async def look_again(services: Services, image: Image) -> Image:
    """See whether the registry's tag is still what is on record, and mark the image.

    Raises Forbidden and Unavailable when the registry does not say.
    """
    digest = await _current(services, image)
    state = RegistryState.PRESENT if digest == image.digest else RegistryState.MOVED
    if digest is None:
        state = RegistryState.GONE
    changed = {"registry_state": state, "registry_digest": digest}
    # A build that finished meanwhile put another digest on record: then this says nothing.
    row = Image.filter(id=image.id, digest=image.digest)
    if await row.update(**changed, checked_at=now()) and state is not image.registry_state:
        services.notifier.publish("image", image.id)
    return await Image.get(id=image.id)


async def look_at_some(services: Services) -> None:
    """Look at the images that were not looked at for the longest time, a few at once."""
    since = now() - timedelta(seconds=services.settings.registry_check_seconds)
    due = Image.filter(Q(checked_at=None) | Q(checked_at__lt=since), status=ImageStatus.READY)
    for image in await due.order_by("checked_at", "id").limit(CHECKS):
        # Whoever sets the time first looks; other servers pass on.
        mine = Image.filter(id=image.id, checked_at=image.checked_at)
        if not await mine.update(checked_at=now()):
            continue
        try:
            await look_again(services, image)
        except (Forbidden, Unavailable):
            return  # the registry is not to be had now; the rest would only wait for it as well


async def _look_up(services: Services, name: ImageName) -> ImageInfo:
    where = f"{services.settings.registry}{name.name}"
    try:
        return await services.registry.image(name.repository, name.tag)
    except RegistryNotFound:
        message = f"The registry has no {where}. `registryTags` lists what a repository holds."
        raise NotFound(message) from None
    except RegistryError as error:
        raise _unanswered(where, error) from None


async def _current(services: Services, image: Image) -> str | None:
    try:
        return await services.registry.digest_under(image.repository, image.registry_tag)
    except RegistryError as error:
        raise _unanswered(image.reference, error) from None


def _unanswered(where: str, error: RegistryError) -> Forbidden | Unavailable:
    if isinstance(error, RegistryDenied):
        return Forbidden(f"Darkroom's account may not read {where}. ({error.message})")
    return Unavailable(f"The registry did not answer for {where}. ({error.message})")


def _details(found: ImageInfo) -> dict[str, Any]:
    """What is shown of an image that was not built here, as JSON."""
    return {
        "createdAt": found.created.isoformat() if found.created else None,
        "entrypoint": found.entrypoint,
        "cmd": found.cmd,
        "env": found.env,
        "labels": dict(found.labels),
        "platforms": [str(platform) for platform in found.platforms],
        "history": [
            {**asdict(step), "created": step.created.isoformat() if step.created else None}
            for step in found.history
        ],
    }
