"""Reading an answer as fast as it comes, however slowly its content is worked on.

BuildKit in Docker Engine 20.10 must never be made to wait: once 1 MiB of output has piled up in
it, it reports nothing, without a pause and for ever, and the build does not end.
"""

import asyncio
import tempfile
from collections.abc import AsyncGenerator, AsyncIterator

_IN_MEMORY = 8 * 1024 * 1024  # bytes; what lies further ahead waits on the disk
_PIECE = 64 * 1024  # bytes; between two of them the event loop gets to read


async def read_ahead(source: AsyncIterator[bytes]) -> AsyncGenerator[bytes, None]:
    """The bytes of `source`, which is read on while the caller is busy with them.

    An exception of `source` comes after all that was read before it. Close this iterator
    (`contextlib.aclosing`) to stop reading.
    """
    ahead, news = _Ahead(), asyncio.Event()

    async def read() -> None:
        async for data in source:
            ahead.write(data)
            news.set()

    reading = asyncio.create_task(read())
    reading.add_done_callback(lambda _: news.set())
    try:
        while not reading.done() or ahead:
            news.clear()
            while data := ahead.read():
                yield data
                await asyncio.sleep(0)
            if not reading.done():
                await news.wait()
        await reading
    finally:
        reading.cancel()
        await asyncio.gather(reading, return_exceptions=True)
        ahead.close()


class _Ahead:
    """Bytes that were read and not yet taken, first in, first out."""

    def __init__(self) -> None:
        self._file = tempfile.SpooledTemporaryFile(max_size=_IN_MEMORY)  # noqa: SIM115  # close()
        self._taken = self._end = 0

    def __bool__(self) -> bool:
        return self._taken < self._end

    def write(self, data: bytes) -> None:
        self._file.seek(self._end)
        self._end += self._file.write(data)

    def read(self) -> bytes:
        """The next piece; nothing when all was taken."""
        self._file.seek(self._taken)
        data = self._file.read(min(_PIECE, self._end - self._taken))
        self._taken += len(data)
        if data and self._taken == self._end:
            self._file.seek(0)
            self._file.truncate()
            self._taken = self._end = 0
        return data

    def close(self) -> None:
        self._file.close()
