"""The log of a build that is over, as one compressed blob that is read at any line or byte.

The blob is a row of zstd frames (RFC 8878), so that `zstd -dc` prints the log, and a skippable
frame at its end, which decoders pass over: an index of the chunks, and its own length.
"""

import json
import struct
from bisect import bisect_right
from collections.abc import AsyncIterator
from dataclasses import dataclass
from datetime import datetime
from typing import BinaryIO

import zstandard

from engine.blobs import Blobs

FRAME_BYTES = 256 * 1024  # of text, and the rest of a chunk; what is read for one line
SKIPPABLE = 0x184D2A5E
_HEADER = struct.Struct("<II")  # magic number and length, as RFC 8878 has it
_TRAILER = struct.Struct("<I")  # length of the index, at the very end of the blob


@dataclass(frozen=True, slots=True)
class Chunk:
    """Consecutive lines of one step; `text` has no newline at its end."""

    first_line: int
    last_line: int
    step: int | None
    time: datetime
    text: str

    @property
    def data(self) -> bytes:
        """As a download holds it."""
        return self.text.encode() + b"\n"


@dataclass(frozen=True, slots=True)
class _Entry:
    first_line: int
    last_line: int
    step: int | None
    time: str
    offset: int  # of its text, in bytes within the whole log
    length: int


class ArchiveWriter:
    """Writes chunks, in order, into a file."""

    def __init__(self, file: BinaryIO) -> None:
        self._file = file
        self._compressor = zstandard.ZstdCompressor(level=6)
        self._entries: list[_Entry] = []
        self._frames: list[tuple[int, int]] = []  # where each begins: in the blob, in the text
        self._frame = bytearray()
        self._offset = 0

    def add(self, chunk: Chunk) -> None:
        """Append a chunk."""
        data = chunk.data
        entry = _Entry(
            chunk.first_line,
            chunk.last_line,
            chunk.step,
            chunk.time.isoformat(),
            self._offset,
            len(data),
        )
        self._entries.append(entry)
        self._frame += data
        self._offset += len(data)
        if len(self._frame) >= FRAME_BYTES:
            self._end_frame()

    def close(self) -> None:
        """Write what is left, and the index."""
        self._end_frame()
        rows = [[e.first_line, e.last_line, e.step, e.time, e.length] for e in self._entries]
        index = json.dumps({"frames": self._frames, "chunks": rows}, separators=(",", ":"))
        packed = self._compressor.compress(index.encode())
        self._file.write(_HEADER.pack(SKIPPABLE, len(packed) + _TRAILER.size))
        self._file.write(packed + _TRAILER.pack(len(packed)))

    def _end_frame(self) -> None:
        if self._frame:
            self._frames.append((self._file.tell(), self._offset - len(self._frame)))
            self._file.write(self._compressor.compress(bytes(self._frame)))
            self._frame.clear()


class Archive:
    """Reads an archived log without reading all of it."""

    def __init__(
        self, blobs: Blobs, key: str, frames: list[tuple[int, int]], entries: list[_Entry], end: int
    ) -> None:
        self._blobs = blobs
        self._key = key
        self._frames = frames
        self._entries = entries
        self._end = end  # of the last frame within the blob

    @classmethod
    async def open(cls, blobs: Blobs, key: str) -> "Archive":
        """Read the index. Raises BlobNotFound when the log is not there any more."""
        size = await blobs.size(key)
        (length,) = _TRAILER.unpack(await _read(blobs, key, size - _TRAILER.size, size))
        start = size - _TRAILER.size - length
        packed = await _read(blobs, key, start, size - _TRAILER.size)
        index = json.loads(zstandard.ZstdDecompressor().decompress(packed))
        entries, offset = [], 0
        for first, last, step, time, bytes_ in index["chunks"]:
            entries.append(_Entry(first, last, step, time, offset, bytes_))
            offset += bytes_
        frames = [(at, text) for at, text in index["frames"]]
        return cls(blobs, key, frames, entries, start - _HEADER.size)

    @property
    def size(self) -> int:
        """Bytes of the whole text."""
        return self._entries[-1].offset + self._entries[-1].length if self._entries else 0

    async def chunks(self, after: int) -> AsyncIterator[Chunk]:
        """The chunks that hold lines after line `after`; the first may begin before it."""
        position = bisect_right(self._entries, after, key=lambda entry: entry.last_line)
        if position == len(self._entries):
            return
        text = self.text(self._entries[position].offset)
        buffer = bytearray()
        for entry in self._entries[position:]:
            while len(buffer) < entry.length:
                buffer += await anext(text)
            data = bytes(buffer[: entry.length - 1])
            del buffer[: entry.length]
            time = datetime.fromisoformat(entry.time)
            yield Chunk(entry.first_line, entry.last_line, entry.step, time, data.decode())

    async def text(self, start: int = 0) -> AsyncIterator[bytes]:
        """The text from byte `start` on, a frame at a time."""
        number = max(0, bisect_right(self._frames, start, key=lambda frame: frame[1]) - 1)
        decompressor = zstandard.ZstdDecompressor()
        while number < len(self._frames):
            at, offset = self._frames[number]
            number += 1
            end = self._frames[number][0] if number < len(self._frames) else self._end
            data = decompressor.decompress(await _read(self._blobs, self._key, at, end))
            yield data[max(0, start - offset) :]


async def _read(blobs: Blobs, key: str, start: int, end: int) -> bytes:
    return b"".join([part async for part in blobs.stream(key, start, end)])


def key_of(build_id: int) -> str:
    """Where a build's log is kept."""
    return f"logs/{build_id}.log.zst"
