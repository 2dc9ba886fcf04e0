"""Subscribers of one build's log, in a process of their own: so many WebSockets, one each.

Run as a program with the server's address, the build's id and their number. At the end of the log
it prints, as JSON, the ages in milliseconds of the lines that are the time of their printing, by
percentile.
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


async def follow(client: Client, build: str, count: int) -> dict[str, float]:
    """What all of them have received together, at the end of the log."""
    ages = array("d")

    async def follow_one() -> None:
        async for event in client.follow(build):
            now = time.time() * 1000
            ages.extend(now - printed for printed in _times(event.get("text", "")))

    async with asyncio.TaskGroup() as group:
        for _ in range(count):
            group.create_task(follow_one())
    return {"lines": len(ages), "p99": statistics.quantiles(ages, n=100)[-1]}


@functools.lru_cache
def _times(text: str) -> list[float]:
    return list(times(text.splitlines()))


async def _main(url: str, build: str, count: int) -> None:
    # By default, aiohttp opens no more than a hundred connections.
    async with aiohttp.ClientSession(connector=aiohttp.TCPConnector(limit=0)) as session:
        print(json.dumps(await follow(Client(session, url), build, count)), flush=True)


if __name__ == "__main__":
    asyncio.run(_main(sys.argv[1], sys.argv[2], int(sys.argv[3])))
