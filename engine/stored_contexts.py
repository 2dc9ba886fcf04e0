"""Contexts and uploads in the blob store: each once, for as long as a build refers to it."""

from collections.abc import Iterable
from datetime import datetime, timedelta

from tortoise.expressions import Q
from tortoise.queryset import QuerySet

from engine.blobs import Blobs
from engine.context import context_key
from models import Build, Duty
from models.database import transaction

# What is younger may belong to a request that is not on record yet.
YOUNGEST = timedelta(days=1)
# Builds that are looked at in one round for what they refer to.
BATCH = 500
_ADDRESSED = ("contexts/sha256/", "uploads/sha256/")


async def remove_unreferenced(blobs: Blobs, moment: datetime) -> int:
    """Remove what no build refers to any more; how many."""
    removed = 0
    for prefix in _ADDRESSED:
        async for stored in blobs.stored(prefix):
            old = [blob.key for blob in stored if blob.modified < moment - YOUNGEST]
            for key in sorted(set(old) - await _referenced(old)):
                removed += await _remove(blobs, key)
    return removed


async def give_up_beyond(blobs: Blobs, most: int, removable: QuerySet[Build]) -> None:
    """Have the oldest builds refer to nothing any more, until `most` bytes are referred to.

    Their records stay, with the digest; they cannot be made again exactly.
    """
    sizes = await _referenced_sizes(blobs)
    excess = sum(sizes.values()) - most
    keeping = removable.filter(~Q(context_digest=None) | ~Q(upload_key=None), context_kept=True)
    for build in await keeping.order_by("finished_at").limit(BATCH if excess > 0 else 0):
        if excess <= 0:
            return
        await Build.filter(id=build.id).update(context_kept=False)
        keys = {context_key(build.context_digest or ""), build.upload_key or ""} & sizes.keys()
        excess -= sum(sizes[key] for key in keys - await _referenced(keys))


async def _referenced_sizes(blobs: Blobs) -> dict[str, int]:
    sizes: dict[str, int] = {}
    for prefix in _ADDRESSED:
        async for stored in blobs.stored(prefix):
            needed = await _referenced([blob.key for blob in stored])
            sizes |= {blob.key: blob.size for blob in stored if blob.key in needed}
    return sizes


async def _remove(blobs: Blobs, key: str) -> bool:
    """Remove a blob while no build can begin to refer to it: who does locks the same."""

    async def remove() -> bool:
        await Duty.lock("contexts")
        if await _referenced([key]):
            return False
        await blobs.delete(key)
        return True

    return await transaction(remove)


async def _referenced(keys: Iterable[str]) -> set[str]:
    """Those of the keys that a build refers to."""
    digests = {_digest(key): key for key in keys}
    kept = Build.filter(context_kept=True).distinct()
    contexts = kept.filter(context_digest__in=list(digests))
    uploads = kept.filter(upload_key__in=list(digests.values()))
    found = await contexts.values_list("context_digest", flat=True)
    return {digests[str(digest)] for digest in found} | {
        str(key) for key in await uploads.values_list("upload_key", flat=True)
    }


def _digest(key: str) -> str:
    return "sha256:" + key.rpartition("/")[2].removesuffix(".tar.zst")
