"""A network between two programs that delays, swallows, cuts, or answers in the server's place."""

import asyncio
import contextlib
import threading
from collections.abc import Iterator
from typing import Literal

from server.local.process import free_port

Mode = Literal["pass", "delay", "swallow", "cut", "fail"]

DELAY = 0.03  # seconds for each piece of data
_FAILURE = b"HTTP/1.1 500 Internal Server Error\r\nContent-Length: 0\r\nConnection: close\r\n\r\n"


class Network:
    """A TCP proxy to a port of loopback; `mode` may be changed at any time.

    pass: as if it were not there; delay: slow; swallow: connections stay open and carry nothing;
    cut: connections end, new ones at once; fail: an HTTP server that answers 500.
    """

    def __init__(self, target: int) -> None:
        self.port = free_port()
        self._target = target
        self._mode: Mode = "pass"
        self._loop = asyncio.new_event_loop()
        self._writers: set[asyncio.StreamWriter] = set()
        self._passing = asyncio.Event()

    @property
    def mode(self) -> Mode:
        """What it does now."""
        return self._mode

    @mode.setter
    def mode(self, mode: Mode) -> None:
        asyncio.run_coroutine_threadsafe(self._change(mode), self._loop).result(10)

    @contextlib.contextmanager
    def during(self, mode: Mode) -> Iterator[None]:
        """Be so until the block ends."""
        self.mode = mode
        try:
            yield
        finally:
            self.mode = "pass"

    @contextlib.contextmanager
    def running(self) -> Iterator["Network"]:
        """Carry until the block ends."""
        thread = threading.Thread(target=self._loop.run_forever, daemon=True)
        thread.start()
        try:
            asyncio.run_coroutine_threadsafe(self._listen(), self._loop).result(10)
            yield self
        finally:
            asyncio.run_coroutine_threadsafe(self._close(), self._loop).result(10)
            self._loop.call_soon_threadsafe(self._loop.stop)
            thread.join(10)
            self._loop.close()

    async def _listen(self) -> None:
        self._passing.set()
        self._server = await asyncio.start_server(self._carry, "127.0.0.1", self.port)

    async def _close(self) -> None:
        await self._change("cut")
        self._server.close()
        others = asyncio.all_tasks() - {asyncio.current_task()}
        for task in others:
            task.cancel()
        await asyncio.gather(*others, return_exceptions=True)

    async def _change(self, mode: Mode) -> None:
        self._mode = mode
        if mode in ("cut", "fail"):
            for writer in self._writers:
                writer.transport.abort()
        if mode == "swallow":
            self._passing.clear()
        else:
            self._passing.set()

    async def _carry(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self._writers.add(writer)
        try:
            await self._passing.wait()
            if self._mode == "cut":
                writer.transport.abort()
            elif self._mode == "fail":
                await reader.read(1024)
                writer.write(_FAILURE)
                await writer.drain()
            else:
                await self._both_ways(reader, writer)
        except OSError:
            pass
        finally:
            self._writers.discard(writer)
            writer.close()

    async def _both_ways(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        there, back = await asyncio.open_connection("127.0.0.1", self._target)
        self._writers.add(back)
        try:
            tasks = [
                asyncio.create_task(self._one_way(reader, back)),
                asyncio.create_task(self._one_way(there, writer)),
            ]
            await asyncio.wait(tasks, return_when=asyncio.FIRST_COMPLETED)
            for task in tasks:
                task.cancel()
            await asyncio.gather(*tasks, return_exceptions=True)
        finally:
            self._writers.discard(back)
            back.close()

    async def _one_way(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        while data := await reader.read(65536):
            await self._passing.wait()
            if self._mode == "delay":
                await asyncio.sleep(DELAY)
            writer.write(data)
            await writer.drain()
