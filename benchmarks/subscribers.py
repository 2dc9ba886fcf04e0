"""Subscribers of one build's log, in a process of their own: so many WebSockets, one each.

Run as a program with the server's address, the build's id and their number. It prints `ready` once
each has received something, and at the end of the log, as JSON, the ages in milliseconds of
the lines that are the time of their printing, by percentile.
"""

import asyncio
import functools
import json
import statistics
import sys
import time
from array import array

import aiohttp

from benchmarks.log_latency import times
from tests.fixtures.service import Client

# Handshakes at once: thousands of people do not come in the same moment.
_CONNECTING = 50


class Subscribers:
    """All of them, and the ages of the lines that they have received together."""

    def __init__(self, client: Client, build: str, count: int) -> None:
        self._client = client
        self._build = build
        self._count = count
        self._waiting = count
        self._room = asyncio.Semaphore(_CONNECTING)
        self._ages = array("d")

    async def follow(self) -> None:
        """To the end of the log."""
        async with asyncio.TaskGroup() as group:
            for _ in range(self._count):
                group.create_task(self._follow_one())

    def summary(self) -> dict[str, float]:
        """What is told at the end."""
        return {"lines": len(self._ages), "p99": statistics.quantiles(self._ages, n=100)[-1]}

    async def _follow_one(self) -> None:
        await self._room.acquire()
        is_first = True
        async for event in self._client.follow(self._build):
            if is_first:
                is_first = False
                self._room.release()
                self._waiting -= 1
                if not self._waiting:
                    print("ready", flush=True)
            now = time.time() * 1000
            self._ages.extend(now - printed for printed in _times(event.get("text", "")))


@functools.lru_cache
def _times(text: str) -> list[float]:
    return list(times(text.splitlines()))


async def _main(url: str, build: str, count: int) -> None:
    # By default, aiohttp opens no more than a hundred connections.
    async with aiohttp.ClientSession(connector=aiohttp.TCPConnector(limit=0)) as session:
        subscribers = Subscribers(Client(session, url), build, count)
        await subscribers.follow()
    print(json.dumps(subscribers.summary()), flush=True)


if __name__ == "__main__":
    asyncio.run(_main(sys.argv[1], sys.argv[2], int(sys.argv[3])))
