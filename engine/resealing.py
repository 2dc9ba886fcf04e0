"""Sealing every stored token anew with the current key."""

from dataclasses import dataclass, field

from engine.sealing import SealBroken, Sealer
from engine.sources.git import about
from models import Image

_BATCH = 500


@dataclass(slots=True)
class Resealed:
    """What became of the tokens: how many were sealed anew, and the images whose do not open."""

    count: int = 0
    broken: list[str] = field(default_factory=list)


async def reseal(sealer: Sealer) -> Resealed:
    """Seal anew what an older key has sealed. Safe to repeat, and while servers run."""
    done, last = Resealed(), 0
    while rows := await _after(last):
        last = rows[-1].id
        for image in rows:
            await _reseal(sealer, image, done)
    return done


async def _after(last: int) -> list[Image]:
    rows = Image.filter(id__gt=last).exclude(sealed_token=None).order_by("id")
    return await rows.only("id", "name", "sealed_token").limit(_BATCH)


async def _reseal(sealer: Sealer, image: Image, done: Resealed) -> None:
    old = image.sealed_token
    try:
        if not sealer.needs_rotation(old):
            return
        new = sealer.seal(sealer.open(old, about(image.name)), about(image.name))
    except SealBroken:
        done.broken.append(image.name)
        return
    # A token that was replaced meanwhile is sealed with the current key already.
    done.count += await Image.filter(id=image.id, sealed_token=old).update(sealed_token=new)
