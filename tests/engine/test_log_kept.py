"""What several steps write at once is numbered, kept, archived and read back the same."""

import asyncio
from collections.abc import AsyncIterator
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from engine.blobs import Blobs
from engine.clock import now
from engine.errors import BuildFailed
from engine.logs import writer as writer_module
from engine.logs.archive import Chunk
from engine.logs.reader import End, LogReader, archive
from engine.logs.writer import ClaimLost, LogWriter
from engine.notify import InProcessNotifier
from models import Build, Image, database
from models.enums import BuildStatus, FailureCode, ImageStatus
from tests import rows

LIMIT = 1024 * 1024

# Steps write pieces that begin and end anywhere within a line, or wait for what there is.
WRITES = st.lists(
    st.tuples(
        st.sampled_from([None, 1, 2, 3]),
        st.text(st.sampled_from("ab\nä"), max_size=30).map(str.encode),
        st.booleans(),
    ),
    max_size=30,
)


@pytest.fixture
async def image(tmp_path: Path) -> AsyncIterator[Image]:
    """An image in a database of its own."""
    url = f"sqlite://{tmp_path}/kept.sqlite3"
    await database.migrate(url)
    async with database.opened(url, everywhere=True):
        row = rows.image(status=ImageStatus.BUILDING)
        await row.save()
        yield row


async def new_build(image: Image) -> Build:
    newest = await Build.filter(image_id=image.id).order_by("-number").first()
    return await Build.create(
        image_id=image.id,
        number=newest.number + 1 if newest else 1,
        status=BuildStatus.BUILDING,
        created_by="ada",
        created_at=now(),
    )


def expected(writes: list[tuple[int | None, bytes, bool]]) -> dict[int | None, list[str]]:
    """The lines of each step, by simply putting its pieces together."""
    steps: dict[int | None, bytes] = {}
    for step, data, _ in writes:
        steps[step] = steps.get(step, b"") + data
    lines = {step: data.decode().split("\n") for step, data in steps.items()}
    return {step: found if found[-1] else found[:-1] for step, found in lines.items()}


def by_step(chunks: list[Chunk]) -> dict[int | None, list[str]]:
    found: dict[int | None, list[str]] = {}
    for chunk in chunks:
        found.setdefault(chunk.step, []).extend(chunk.text.split("\n"))
    return found


def check_numbers(chunks: list[Chunk], after: int = 0) -> None:
    for chunk in chunks:
        assert chunk.first_line == after + 1
        after += chunk.text.count("\n") + 1
        assert chunk.last_line == after


def text_of(chunks: list[Chunk]) -> bytes:
    return b"".join(chunk.data for chunk in chunks)


async def everything(reader: LogReader, build: Build, after: int = 0) -> list[Chunk]:
    return [event async for event in reader.follow(build.id, after) if not isinstance(event, End)]


async def test_streams_do_not_break_each_others_lines(image: Image) -> None:
    build = await new_build(image)
    async with LogWriter(build, InProcessNotifier(), limit=LIMIT).opened() as writer:
        await writer.write(1, now(), b"half of ", stream=1)
        await writer.write(1, now(), b"an error\n", stream=2)
        await writer.write(1, now(), b"a line\nno newline", stream=1)
        await writer.end_step(1)
    page = await LogReader(Blobs.open("memory:"), InProcessNotifier()).page(build.id, 0, 10)
    text = "\n".join(chunk.text for chunk in page.chunks)
    assert text == "an error\nhalf of a line\nno newline"


@settings(
    max_examples=40, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture]
)
@given(WRITES, st.integers(1, 40), st.data())
async def test_what_is_written_is_read_back(
    image: Image,
    writes: list[tuple[int | None, bytes, bool]],
    chunk_bytes: int,
    data: st.DataObject,
) -> None:
    build, blobs, notifier = await new_build(image), Blobs.open("memory:"), InProcessNotifier()
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(writer_module, "CHUNK_BYTES", chunk_bytes)
        async with LogWriter(build, notifier, limit=LIMIT).opened() as writer:
            for step, piece, waits in writes:
                await writer.write(step, now(), piece)
                if waits:
                    await writer.flush()
    await Build.filter(id=build.id).update(status=BuildStatus.SUCCEEDED)
    build = await Build.get(id=build.id)
    reader = LogReader(blobs, notifier)
    after, most = data.draw(st.integers(0, 60)), data.draw(st.integers(1, 20))

    kept = await everything(reader, build)
    wanted = expected(writes)
    assert by_step(kept) == {step: lines for step, lines in wanted.items() if lines}
    assert build.log_lines == sum(map(len, wanted.values()))
    assert build.log_bytes == len(text_of(kept))
    lines = text_of(kept).splitlines(True)

    for archived in (False, True):
        if archived:
            await archive(build, blobs)
            build = await Build.get(id=build.id)
            assert build.log_key
        check_numbers(await everything(reader, build))
        rest = await everything(reader, build, after)
        check_numbers(rest, after)
        assert text_of(rest) == b"".join(lines[after:])
        page = await reader.page(build.id, after, most)
        check_numbers(page.chunks, after)
        assert text_of(page.chunks) == b"".join(lines[after : after + most])
        assert page.complete == (after + most >= len(lines))
        start = data.draw(st.integers(0, build.log_bytes))
        parts = [part async for part in reader.text(build, start)]
        assert b"".join(parts) == b"".join(lines)[start:]


async def test_a_reader_among_the_rows_goes_on_in_the_archive(image: Image) -> None:
    build, blobs, notifier = await new_build(image), Blobs.open("memory:"), InProcessNotifier()
    async with LogWriter(build, notifier, limit=50 * LIMIT).opened() as writer:
        for start in range(0, 100_000, 1000):
            text = "".join(f"line {n} {'x' * 40}\n" for n in range(start, start + 1000))
            await writer.write(1, now(), text.encode())
    await Build.filter(id=build.id).update(status=BuildStatus.SUCCEEDED)
    build = await Build.get(id=build.id)
    reader = LogReader(blobs, notifier)
    following = reader.follow(build.id, 0)
    first = await anext(following)
    assert isinstance(first, Chunk)
    await archive(build, blobs)
    rest = [event async for event in following]
    assert isinstance(rest.pop(), End)
    chunks = [first, *(event for event in rest if isinstance(event, Chunk))]
    check_numbers(chunks)
    assert chunks[-1].last_line == 100_000


async def test_a_worker_that_lost_its_claim_writes_nothing_more(image: Image) -> None:
    build, notifier = await new_build(image), InProcessNotifier()
    async with LogWriter(build, notifier, limit=LIMIT).opened() as writer:
        await writer.say("mine")
        await writer.flush()
        await Build.filter(id=build.id).update(fence=build.fence + 1)
        await writer.say("too late")
        with pytest.raises(ClaimLost):
            await writer.flush()
    found = await Build.get(id=build.id)
    assert found.log_lines == 1


async def test_a_full_log_takes_no_output_but_says_why(image: Image) -> None:
    build, notifier = await new_build(image), InProcessNotifier()
    async with LogWriter(build, notifier, limit=100).opened() as writer:
        await writer.write(2, now(), b"x" * 60 + b"\n")
        with pytest.raises(BuildFailed) as failed:
            await writer.write(2, now(), b"y" * 60 + b"\n")
        assert (failed.value.code, failed.value.step) == (FailureCode.LOG_TOO_LARGE, 2)
        await writer.say(failed.value.message, 2)
    page = await LogReader(Blobs.open("memory:"), notifier).page(build.id, 0, 100)
    assert text_of(page.chunks).decode() == f"{'x' * 60}\n{failed.value.message}\n"


async def test_a_cancelled_write_keeps_its_lines_once(image: Image) -> None:
    build, notifier = await new_build(image), InProcessNotifier()
    async with LogWriter(build, notifier, limit=LIMIT).opened() as writer:
        for number in range(50):
            await writer.say(f"line {number}")
            flushing = asyncio.create_task(writer.flush())
            await asyncio.sleep(0)
            flushing.cancel()
            await asyncio.gather(flushing, return_exceptions=True)
    page = await LogReader(Blobs.open("memory:"), notifier).page(build.id, 0, 100)
    assert (
        text_of(page.chunks).decode().split()
        == " ".join(f"line {number}" for number in range(50)).split()
    )
    check_numbers(page.chunks)
