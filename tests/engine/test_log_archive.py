"""Whatever was written is read back: at any line, at any byte, and by zstd itself."""

import io
from datetime import UTC, datetime
from itertools import accumulate

import pytest
import zstandard
from hypothesis import given, settings
from hypothesis import strategies as st

from engine.blobs import BlobNotFound, Blobs
from engine.logs import archive as archive_module
from engine.logs.archive import Archive, ArchiveWriter, Chunk

TIME = datetime(2026, 1, 2, 3, 4, 5, 678901, UTC)
LINES = st.text(st.characters(exclude_categories=["Cs"], exclude_characters="\n"), max_size=30)
CHUNKS = st.lists(
    st.tuples(st.none() | st.integers(1, 5), st.lists(LINES, min_size=1, max_size=5)), max_size=20
)


def chunks_of(given: list[tuple[int | None, list[str]]]) -> list[Chunk]:
    ends = accumulate(len(lines) for _, lines in given)
    return [
        Chunk(end - len(lines) + 1, end, step, TIME, "\n".join(lines))
        for end, (step, lines) in zip(ends, given, strict=True)
    ]


async def archived(chunks: list[Chunk], frame_bytes: int) -> tuple[Archive, bytes]:
    file = io.BytesIO()
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(archive_module, "FRAME_BYTES", frame_bytes)
        writer = ArchiveWriter(file)
        for chunk in chunks:
            writer.add(chunk)
        writer.close()
    blobs = Blobs.open("memory:")
    await blobs.put("log", file.getvalue())
    return await Archive.open(blobs, "log"), file.getvalue()


def unpacked(blob: bytes) -> bytes:
    """As `zstd -dc` does it: every frame after the other, passing over what can be skipped."""
    reader = zstandard.ZstdDecompressor().stream_reader(blob, read_across_frames=True)
    return reader.read()


@settings(max_examples=60, deadline=None)
@given(CHUNKS, st.integers(1, 200), st.integers(0, 110), st.data())
async def test_everything_is_read_back(
    given_: list[tuple[int | None, list[str]]], frame_bytes: int, after: int, data: st.DataObject
) -> None:
    chunks = chunks_of(given_)
    text = b"".join(chunk.data for chunk in chunks)
    archive, blob = await archived(chunks, frame_bytes)

    assert archive.size == len(text)
    assert unpacked(blob) == text
    assert [chunk async for chunk in archive.chunks(0)] == chunks
    behind = [chunk for chunk in chunks if chunk.last_line > after]
    assert [chunk async for chunk in archive.chunks(after)] == behind
    start = data.draw(st.integers(0, len(text)))
    assert b"".join([part async for part in archive.text(start)]) == text[start:]


async def test_a_long_log_is_read_at_its_end_without_reading_the_rest() -> None:
    lines = [f"line {number} of many that are all alike" for number in range(1, 60_001)]
    chunks = chunks_of([(1, lines[at : at + 300]) for at in range(0, len(lines), 300)])
    archive, blob = await archived(chunks, archive_module.FRAME_BYTES)

    frames = [part async for part in archive.text(archive.size - 5)]
    assert frames == [b"like\n"]
    assert [chunk.text async for chunk in archive.chunks(59_999)] == ["\n".join(lines[-300:])]
    assert len(blob) < archive.size / 10


async def test_a_log_that_is_gone_is_said_to_be() -> None:
    with pytest.raises(BlobNotFound):
        await Archive.open(Blobs.open("memory:"), "logs/1.log.zst")
