"""Freezing a build context: one deterministic tar, named by its digest and stored once."""

import asyncio
import hashlib
import os
import stat
import tarfile
from collections.abc import AsyncIterable, AsyncIterator
from dataclasses import dataclass
from pathlib import Path
from typing import Protocol

import zstandard

from engine.context_entries import Entry, list_entries
from engine.errors import BuildFailed
from engine.sizes import format_bytes
from models.enums import FailureCode

_CHUNK = 1024 * 1024
# Not 0: Python's zipfile and so many builds of wheels refuse what is older than 1980, in any zone.
_MTIME = 315_619_200  # 1980-01-02T00:00:00Z
# A compressed block of four bytes can stand for 128 KiB of zeros, so a piece of this size becomes
# at most 32 MiB, which bounds what decompressing it takes.
_PIECE = 1024


@dataclass(frozen=True, slots=True)
class FrozenContext:
    """A context as it was: `sha256:…` and bytes of the uncompressed tar, and its number of files.

    The digest depends on names, content, links and the executable bit alone, so the same content
    always has the same digest.
    """

    digest: str
    size: int
    files: int

    @property
    def key(self) -> str:
        """Where it is in the blob store."""
        return context_key(self.digest)


def context_key(digest: str) -> str:
    """Where the context with this digest is in the blob store."""
    return f"contexts/sha256/{digest.removeprefix('sha256:')}.tar.zst"


class _Sink(Protocol):
    def write(self, data: bytes, /) -> object: ...


def freeze(
    directory: Path, dockerfile_path: str, out: Path, *, max_bytes: int | None = None
) -> FrozenContext:
    """Write what `.dockerignore` leaves of a directory into `out`, a tar compressed with zstd.

    Blocks, in memory that grows with the number of entries alone. `max_bytes` limits the sum of
    the files' sizes. Raises BuildFailed: DOCKERFILE_NOT_FOUND, CONTEXT_TOO_LARGE, or
    CONTEXT_INVALID for links that leave the directory, devices, pipes and sockets.
    """
    entries = list_entries(directory, dockerfile_path)
    if max_bytes is not None:
        _require_size(entries, max_bytes)
    with (
        out.open("wb") as file,
        _compressor().stream_writer(file, closefd=False) as compressed,
    ):
        digester = _Digester(compressed)
        for entry in entries:
            _write_entry(digester, directory, entry)
        digester.write(bytes(2 * tarfile.BLOCKSIZE))
    files = sum(stat.S_ISREG(entry.mode) for entry in entries)
    return FrozenContext(digester.digest, digester.size, files)


def _compressor() -> zstandard.ZstdCompressor:
    """Compresses beside the thread that reads and hashes, which is as much work.

    Level 3 would take two thirds longer for a tenth less.
    """
    return zstandard.ZstdCompressor(level=1, threads=2)


async def stream_tar(chunks: AsyncIterable[bytes]) -> AsyncIterator[bytes]:
    """Turn a stored context back into its tar, at most 1 MiB at a time, off the event loop.

    Raises BuildFailed (INTERNAL) when what is stored is damaged or cut off.
    """
    unpacker = zstandard.ZstdDecompressor().decompressobj()
    ready = bytearray()
    async for chunk in chunks:
        at = 0
        while at < len(chunk):
            at = await asyncio.to_thread(_decompress, unpacker, chunk, at, ready)
            while len(ready) >= _CHUNK:
                yield bytes(ready[:_CHUNK])
                del ready[:_CHUNK]
    if not unpacker.eof:
        raise _damaged("it ends too early")
    if ready:
        yield bytes(ready)


def _decompress(
    unpacker: "zstandard.ZstdDecompressionObj", chunk: bytes, at: int, ready: bytearray
) -> int:
    """Decompress from `at` until a chunk is ready; gives how far it came."""
    while at < len(chunk) and len(ready) < _CHUNK:
        if unpacker.eof:
            raise _damaged("something follows its end")
        try:
            ready += unpacker.decompress(chunk[at : at + _PIECE])
        except zstandard.ZstdError as error:
            raise _damaged(str(error)) from error
        at += _PIECE
    return at


class _Digester:
    """Passes on what is written, and knows its digest and length."""

    def __init__(self, target: _Sink) -> None:
        self._target = target
        self._hash = hashlib.sha256()
        self.size = 0

    def write(self, data: bytes) -> None:
        self._hash.update(data)
        self.size += len(data)
        self._target.write(data)

    @property
    def digest(self) -> str:
        return f"sha256:{self._hash.hexdigest()}"


def _write_entry(sink: _Sink, directory: Path, entry: Entry) -> None:
    """One member in POSIX.1-2001's format, whose extended headers hold any name and size.

    Not by TarFile, which keeps every member in memory and asks the system for users and times.
    """
    info = tarfile.TarInfo(entry.name)
    info.mtime = _MTIME
    info.mode = 0o755 if stat.S_ISDIR(entry.mode) or entry.mode & 0o111 else 0o644
    if stat.S_ISDIR(entry.mode):
        info.type = tarfile.DIRTYPE
    elif entry.target is not None:
        info.type, info.linkname, info.mode = tarfile.SYMTYPE, entry.target, 0o777
    else:
        info.size = entry.size
    sink.write(info.tobuf(tarfile.PAX_FORMAT, "utf-8", "surrogateescape"))
    if info.isreg():
        _write_content(sink, directory / entry.name, entry)


def _write_content(sink: _Sink, path: Path, entry: Entry) -> None:
    left = entry.size
    with open(os.open(path, os.O_RDONLY | os.O_NOFOLLOW), "rb") as file:
        while left > 0 and (data := file.read(min(_CHUNK, left))):
            sink.write(data)
            left -= len(data)
        if left or file.read(1):
            raise BuildFailed(
                FailureCode.CONTEXT_INVALID, f"{entry.name!r} changed while it was read."
            )
    sink.write(bytes(-entry.size % tarfile.BLOCKSIZE))


def _require_size(entries: list[Entry], max_bytes: int) -> None:
    total = sum(entry.size for entry in entries)
    if total <= max_bytes:
        return
    tops: dict[str, int] = {}
    for entry in entries:
        top = entry.name.split("/")[0]
        tops[top] = tops.get(top, 0) + entry.size
    largest = sorted(tops.items(), key=lambda item: (-item[1], item[0]))[:3]
    shown = ", ".join(f"{name} ({format_bytes(size)})" for name, size in largest)
    raise BuildFailed(
        FailureCode.CONTEXT_TOO_LARGE,
        f"The build context has {format_bytes(total)}; at most {format_bytes(max_bytes)} is "
        f"allowed. Largest: {shown}. List what the build does not need in .dockerignore.",
    )


def _damaged(reason: str) -> BuildFailed:
    return BuildFailed(FailureCode.INTERNAL, f"The archived context cannot be read back: {reason}.")
