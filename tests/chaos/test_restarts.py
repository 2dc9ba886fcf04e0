"""Servers and workers that end together, or one after the other while builds stream in."""

import asyncio
import contextlib
from dataclasses import dataclass, field
from uuid import uuid4

from tests.chaos.arena import Arena, ended_well, log_is_whole
from tests.chaos.builds import create, held_in
from tests.fixtures.columns import Worker
from tests.fixtures.service import JSON, Client, Server, client_of, serving


@dataclass
class Reader:
    """Follows a build's log over whatever servers there are, each time from its cursor."""

    created: JSON
    lines: list[str] = field(default_factory=list)
    connections: int = 0

    async def follow(self, port: int) -> None:
        """To the end of the log."""
        async with client_of(f"http://127.0.0.1:{port}") as client:
            while not await self._followed(client):  # noqa: ASYNC110  # the server is restarted
                await asyncio.sleep(0.1)

    async def _followed(self, client: Client) -> bool:
        with contextlib.suppress(Exception):  # however the server's end shows
            self.connections += 1
            async for event in client.follow(self.created["build"]["id"], after=len(self.lines)):
                if "text" not in event:
                    return True
                self.lines += event["text"].split("\n")
        return False


class Pair:
    """A server on one port, and a worker."""

    def __init__(self, ring: Arena, stack: contextlib.ExitStack, port: int | None = None) -> None:
        self._ring = ring
        self._stack = stack
        self._data = ring.fleet.data.with_name(f"s{uuid4().hex[:8]}")
        self.server = self._serve(port)
        self.worker: Worker = stack.enter_context(ring.worker(GRACE_SECONDS="20"))

    def _serve(self, port: int | None) -> Server:
        return self._stack.enter_context(serving(self._data, self._ring.fleet.settings, port))

    def kill(self) -> None:
        """Both at once."""
        assert self.worker.program.process
        self.server.process.kill()
        self.worker.program.process.kill()
        self.server.process.wait()
        self.worker.program.process.wait()

    def restart_server(self) -> None:
        assert self.server.stop() == 0
        self.server = self._serve(self.server.port)

    def restart_worker(self) -> None:
        self.worker.program.restart()


async def test_server_and_worker_are_killed_together(ring: Arena, user: Client) -> None:
    with contextlib.ExitStack() as stack:
        first = await asyncio.to_thread(Pair, ring, stack)
        port = first.server.port
        async with held_in("building", ring, user, seconds=1) as created:
            reader = Reader(created)
            reading = asyncio.create_task(reader.follow(port))
            while not any(line.endswith("line 49") for line in reader.lines):  # noqa: ASYNC110
                await asyncio.sleep(0.05)
            first.kill()
        await asyncio.to_thread(Pair, ring, stack, port)
        build = await ended_well(ring, user, created)
        assert build["attempt"] == 2
        await asyncio.wait_for(reading, 10)
        assert reader.connections > 1
        assert reader.lines == await log_is_whole(user, build)


async def test_a_rolling_restart_loses_nothing(ring: Arena, user: Client) -> None:
    with contextlib.ExitStack() as stack:
        pairs = await asyncio.gather(*(asyncio.to_thread(Pair, ring, stack) for _ in range(2)))
        ports = [pair.server.port for pair in pairs]
        readers: list[Reader] = []
        over = asyncio.Event()

        async def stream() -> None:
            while not over.is_set():
                readers.append(Reader(await create(ring, user, seconds=0.5)))
                following.append(asyncio.create_task(readers[-1].follow(ports[len(readers) % 2])))
                await asyncio.sleep(1)

        following: list[asyncio.Task[None]] = []
        streaming = asyncio.create_task(stream())
        for pair in pairs:  # as one machine after the other
            await asyncio.gather(
                asyncio.to_thread(pair.restart_worker), asyncio.to_thread(pair.restart_server)
            )
        over.set()
        await streaming
        for reader in readers:
            build = await ended_well(ring, user, reader.created)
            assert build["attempt"] == 1, await user.log(build["id"])
        await asyncio.wait_for(asyncio.gather(*following), 20)
        for reader in readers:
            assert "\n".join(reader.lines) == await user.log(reader.created["build"]["id"])
        assert sum(reader.connections for reader in readers) > len(readers)
