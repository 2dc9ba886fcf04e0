"""Streams between the event loop and threads: tar and gzip read and write files, and block."""

import asyncio
import contextlib
import os
from collections.abc import AsyncGenerator, AsyncIterable, Callable
from typing import IO, TypeVar

T = TypeVar("T")

_CHUNK = 1024 * 1024


async def consume(source: AsyncIterable[bytes], work: Callable[[IO[bytes]], T]) -> T:
    """Run `work` in a thread on what `source` yields; it may stop reading early."""
    reading, writing = os.pipe()
    feeding = asyncio.create_task(_feed(source, writing))
    try:
        found = await asyncio.to_thread(_read, reading, work)
    except BaseException:
        # What went wrong at the source comes out as an end that is too early.
        if feeding.done() and not feeding.cancelled() and (error := feeding.exception()):
            raise error from None
        raise
    finally:
        feeding.cancel()
        with contextlib.suppress(asyncio.CancelledError, Exception):
            await feeding
    return found


async def produce(work: Callable[[IO[bytes]], None]) -> AsyncGenerator[bytes, None]:
    """What `work`, in a thread, writes into the file that it is given."""
    reading, writing = os.pipe()
    working = asyncio.create_task(asyncio.to_thread(_write, writing, work))
    try:
        while piece := await asyncio.to_thread(os.read, reading, _CHUNK):
            yield piece
        await working
    finally:
        os.close(reading)  # whoever still writes is told
        with contextlib.suppress(Exception):
            await working


async def transform(
    source: AsyncIterable[bytes], work: Callable[[IO[bytes], IO[bytes]], None]
) -> AsyncGenerator[bytes, None]:
    """What `work`, in a thread, writes to its second file while its first yields `source`."""
    reading, writing = os.pipe()
    feeding = asyncio.create_task(_feed(source, writing))

    def run(target: IO[bytes]) -> None:
        _read(reading, lambda file: work(file, target))

    pieces = produce(run)
    try:
        async for piece in pieces:
            yield piece
        await feeding
    except Exception:
        if feeding.done() and not feeding.cancelled() and (error := feeding.exception()):
            raise error from None
        raise
    finally:
        feeding.cancel()
        with contextlib.suppress(asyncio.CancelledError, Exception):
            await feeding
        await pieces.aclose()


async def _feed(source: AsyncIterable[bytes], writing: int) -> None:
    with open(writing, "wb", buffering=0) as pipe:  # noqa: ASYNC230  # opens no file: a pipe's end
        async for data in source:
            view = memoryview(data)
            while view:
                view = view[await asyncio.to_thread(pipe.write, view) :]


def _read(reading: int, work: Callable[[IO[bytes]], T]) -> T:
    with open(reading, "rb") as file:
        return work(file)


def _write(writing: int, work: Callable[[IO[bytes]], None]) -> None:
    with open(writing, "wb") as file:
        work(file)
