"""Reading a build's log: one path for replay, live tail, pages and downloads.

Read after a cursor; at the end, wait for a notification; read again.
"""

import asyncio
import contextlib
import tempfile
from collections.abc import AsyncGenerator, AsyncIterator, Iterable
from dataclasses import dataclass, replace
from pathlib import Path

from engine.blobs import Blobs
from engine.errors import NotFound
from engine.logs import rows
from engine.logs.archive import Archive, ArchiveWriter, Chunk, key_of
from engine.logs.joining import FOLLOWED_SPAN, joined
from engine.notify import Notifier
from engine.together import Together
from models import Build, LogChunk
from models.database import transaction
from models.enums import FINAL, BuildStatus

# Rows of the first query, so that a reader sees the first lines soon.
FIRST = 16
# Text that is more than what is written in a moment.
MANY = 128 * 1024
OPEN_ARCHIVES = 128


@dataclass(frozen=True, slots=True)
class Page:
    """Lines after a cursor, and whether more can come."""

    chunks: list[Chunk]
    cursor: int
    complete: bool


@dataclass(frozen=True, slots=True)
class End:
    """The build is over and its whole log was read, up to line `cursor`."""

    cursor: int
    status: BuildStatus


class LogReader:
    """Reads the logs of all builds, wherever they are kept."""

    def __init__(self, blobs: Blobs, notifier: Notifier) -> None:
        self._blobs = blobs
        self._notifier = notifier
        self._archives: dict[str, Archive] = {}
        self._lines = Together(_lines)
        self._builds = Together(_build)

    async def page(self, build_id: int, after: int, most: int) -> Page:
        """At most `most` lines after line `after`. Raises NotFound."""
        build = await _build(build_id)
        chunks: list[Chunk] = []
        cursor, room = after, most
        async for chunk in self._after(build, after):
            chunks.append(_first_lines(chunk, room))
            cursor = chunks[-1].last_line
            room -= cursor - chunks[-1].first_line + 1
            if room <= 0:
                break
        return Page(chunks, cursor, _is_over(build) and cursor >= build.log_lines)

    async def follow(self, build_id: int, after: int) -> AsyncIterator[Chunk | End]:
        """Every chunk after line `after`, then the live ones, without a gap or a repeat.

        Ends with `End`, and only when the build is over. Raises NotFound.
        """
        cursor = after
        with self._notifier.subscribe("build", build_id) as news:
            while True:
                async with contextlib.aclosing(self._news(build_id, cursor)) as chunks:
                    async for chunk in chunks:
                        cursor = chunk.last_line
                        yield chunk
                build = await self._builds.ask(build_id)
                if _is_over(build):
                    async for chunk in self._rest(build, cursor):
                        cursor = chunk.last_line
                        yield chunk
                    if cursor >= build.log_lines:
                        yield End(cursor, build.status)
                        return
                await news.wait()

    async def text(self, build: Build, start: int = 0) -> AsyncIterator[bytes]:
        """The text from byte `start` on, as far as it is kept now."""
        if build.log_key:
            async for data in (await self._archive(build.log_key)).text(start):
                yield data
            return
        async for chunk in self._after(build, 0):
            data = chunk.data
            if len(data) > start:
                yield data[start:]
            start = max(0, start - len(data))

    async def _news(self, build_id: int, after: int) -> AsyncGenerator[Chunk, None]:
        """What is kept as rows after line `after`, until there is no more."""
        # Of a thousand readers, nearly all stand at the same line: they ask together.
        chunks = await self._lines.ask((build_id, after, FIRST))
        while chunks:
            place = build_id, chunks[-1].last_line, rows.BATCH
            # While much goes out, the database fetches what comes behind it.
            ahead = asyncio.ensure_future(self._lines.ask(place)) if _are_many(chunks) else None
            try:
                for chunk in chunks:
                    yield chunk
                chunks = await (ahead or self._lines.ask(place))
            finally:
                if ahead:
                    ahead.cancel()

    async def _rest(self, build: Build, after: int) -> AsyncIterator[Chunk]:
        """What is missing to the end of a build that is over; mostly nothing is."""
        if after < build.log_lines:
            async for chunk in self._after(build, after):
                yield chunk

    async def _after(self, build: Build, after: int) -> AsyncIterator[Chunk]:
        """What is kept after line `after`, the first chunk cut to begin right behind it."""
        async for chunk in self._kept(build, after):
            yield _behind(chunk, after)
            after = chunk.last_line
        # Rows go once they are archived: a reader who was among them goes on in the archive.
        if not build.log_key and after < build.log_lines:
            build = await _build(build.id)
            if build.log_key:
                async for chunk in self._kept(build, after):
                    yield _behind(chunk, after)

    async def _kept(self, build: Build, after: int) -> AsyncIterator[Chunk]:
        if build.log_key:
            async for chunk in (await self._archive(build.log_key)).chunks(after):
                yield chunk
            return
        while kept := await rows.read(build.id, after):
            for chunk in joined(kept):
                yield chunk
            after = kept[-1].last_line

    async def _archive(self, key: str) -> Archive:
        if key not in self._archives:
            if len(self._archives) >= OPEN_ARCHIVES:
                self._archives.pop(next(iter(self._archives)))
            self._archives[key] = await Archive.open(self._blobs, key)
        return self._archives[key]


async def _lines(place: tuple[int, int, int]) -> list[Chunk]:
    """The lines of at most so many rows behind a line of a build, as far as they are kept so."""
    build_id, after, most = place
    chunks = list(joined(await rows.read(build_id, after, most), FOLLOWED_SPAN))
    if chunks:
        chunks[0] = _behind(chunks[0], after)
    return chunks


async def archive(build: Build, blobs: Blobs) -> None:
    """Turn the rows of a build that is over into one blob. Doing it twice is safe."""
    with tempfile.TemporaryDirectory(prefix="darkroom-log-") as folder:
        path = Path(folder, "log")
        with path.open("wb") as file:  # noqa: ASYNC230  # a local file, written in small pieces
            writer = ArchiveWriter(file)
            after = 0
            while kept := await rows.read(build.id, after):
                # Compressing takes long enough for everybody else on the loop to notice.
                await asyncio.to_thread(_add, writer, kept)
                after = kept[-1].last_line
            await asyncio.to_thread(writer.close)
        if after != build.log_lines:
            return  # somebody else archived it just now, and the rows are gone
        await blobs.put_file(key_of(build.id), path)

    async def replace_rows() -> None:
        if await Build.filter(id=build.id, log_key=None).update(log_key=key_of(build.id)):
            await LogChunk.filter(build_id=build.id).delete()

    await transaction(replace_rows)
    if not await Build.exists(id=build.id):
        await blobs.delete(key_of(build.id))  # its image was deleted meanwhile


def _add(writer: ArchiveWriter, kept: Iterable[Chunk]) -> None:
    for chunk in joined(kept):
        writer.add(chunk)


async def _build(build_id: int) -> Build:
    build = await Build.get_or_none(id=build_id)
    if build is None:
        raise NotFound("There is no such build.")
    return build


def _are_many(chunks: list[Chunk]) -> bool:
    return sum(len(chunk.text) for chunk in chunks) > MANY


def _is_over(build: Build) -> bool:
    return build.status in FINAL


def _behind(chunk: Chunk, after: int) -> Chunk:
    if chunk.first_line > after:
        return chunk
    lines = chunk.text.split("\n")[after - chunk.first_line + 1 :]
    return replace(chunk, first_line=after + 1, text="\n".join(lines))


def _first_lines(chunk: Chunk, most: int) -> Chunk:
    if chunk.last_line - chunk.first_line < most:
        return chunk
    lines = chunk.text.split("\n")[:most]
    return replace(chunk, last_line=chunk.first_line + most - 1, text="\n".join(lines))
