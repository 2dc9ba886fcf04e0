"""The list of changed files: too long for a row, so it is a blob of JSON lines."""

import json
from collections.abc import Sequence

import zstandard

from engine.blobs import BlobNotFound, Blobs
from engine.saving.events import Change
from models import Build
from models.enums import FileChange


def key_of(build_id: int) -> str:
    """Where a build's list is kept."""
    return f"changes/{build_id}.jsonl.zst"


async def keep(blobs: Blobs, build: Build, changes: Sequence[Change]) -> str:
    """Store the list; its key."""
    lines = "".join(
        json.dumps([change.kind, change.size, change.path], ensure_ascii=False) + "\n"
        for change in changes
    )
    key = key_of(build.id)
    packed = zstandard.ZstdCompressor().compress(lines.encode(errors="replace"))
    await blobs.put(key, packed)
    return key


async def read(blobs: Blobs, key: str, after: int, most: int) -> list[Change]:
    """Up to `most` changes behind the first `after`; none where the list is gone."""
    try:
        packed = b"".join([data async for data in blobs.stream(key)])
    except BlobNotFound:
        return []
    lines = (
        zstandard.ZstdDecompressor().decompressobj().decompress(packed).decode().split("\n")[:-1]
    )
    rows = (json.loads(line) for line in lines[after : after + most])
    return [Change(path, FileChange(kind), size) for kind, size, path in rows]
