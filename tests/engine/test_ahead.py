"""Reading an engine's answer ahead of whoever works on it."""

import asyncio
from collections.abc import AsyncGenerator, AsyncIterator
from contextlib import aclosing

import pytest

from engine.docker.ahead import read_ahead

MIB = 1024 * 1024


async def pieces(*data: bytes) -> AsyncIterator[bytes]:
    for piece in data:
        yield piece
        await asyncio.sleep(0)


async def test_everything_arrives_in_order() -> None:
    data = [bytes([number]) * 1000 for number in range(200)]
    async with aclosing(read_ahead(pieces(*data))) as chunks:
        assert b"".join([chunk async for chunk in chunks]) == b"".join(data)


async def test_the_source_does_not_wait_for_the_reader() -> None:
    read = asyncio.Event()

    async def source() -> AsyncIterator[bytes]:
        for number in range(32):  # far more than is held in memory
            yield bytes([number]) * MIB
        read.set()

    async with aclosing(read_ahead(source())) as chunks:
        first = await anext(chunks)
        async with asyncio.timeout(10):
            await read.wait()
        rest = b"".join([chunk async for chunk in chunks])
    assert first + rest == b"".join(bytes([number]) * MIB for number in range(32))


async def test_an_error_comes_after_what_was_read_before_it() -> None:
    async def source() -> AsyncIterator[bytes]:
        yield b"before"
        raise ConnectionError

    async with aclosing(read_ahead(source())) as chunks:
        assert await anext(chunks) == b"before"
        with pytest.raises(ConnectionError):
            await anext(chunks)


async def test_closing_stops_the_reading() -> None:
    stopped = asyncio.Event()

    async def source() -> AsyncGenerator[bytes, None]:
        try:
            while True:
                yield b"more"
                await asyncio.sleep(0)
        finally:
            stopped.set()

    endless = source()
    async with aclosing(endless), aclosing(read_ahead(endless)) as chunks:
        assert await anext(chunks) == b"more"
    assert stopped.is_set()
