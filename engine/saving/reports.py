"""Listening to saving Jobs, where their output does not come by way of the cluster.

Kubernetes serves what a pod prints (`pods/log`), and that needs no way from the nodes to us. Where
the API server cannot reach its kubelets, the Jobs connect to their worker instead.
"""

import asyncio
import contextlib
import hmac
import secrets
from collections.abc import AsyncIterator
from dataclasses import dataclass, field

_LONGEST = 1024 * 1024  # bytes of one line
_TOKEN_SECONDS = 5.0


@dataclass(slots=True)
class Reports:
    """Connections of one Job, one after another: each is one start of its process."""

    host: str
    token: str = field(default_factory=lambda: secrets.token_urlsafe(24), repr=False)
    port: int = 0
    _connections: asyncio.Queue[asyncio.StreamReader] = field(default_factory=asyncio.Queue)

    @property
    def address(self) -> str:
        """What the Job is told: `host:port token`. Whoever has it can write to one build's log."""
        return f"{self.host}:{self.port} {self.token}"

    @property
    def waiting(self) -> bool:
        """Whether a connection is there that nobody has taken."""
        return not self._connections.empty()

    async def next(self, patience: float) -> asyncio.StreamReader | None:
        """The next connection; None when none comes within so many seconds."""
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(patience):
                return await self._connections.get()
        return None

    async def accept(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        """Take a connection that knows the token."""
        with contextlib.suppress(TimeoutError, ValueError, ConnectionError):
            async with asyncio.timeout(_TOKEN_SECONDS):
                token = (await reader.readline()).decode(errors="replace").strip()
            if hmac.compare_digest(token.encode(), self.token.encode()):
                self._connections.put_nowait(reader)
                return
        writer.close()


@contextlib.asynccontextmanager
async def listening(host: str) -> AsyncIterator[Reports | None]:
    """Listen on a free port of `host` until the block ends; nothing where there is no host."""
    if not host:
        yield None
        return
    reports = Reports(host)
    server = await asyncio.start_server(reports.accept, host, 0, limit=_LONGEST)
    reports.port = server.sockets[0].getsockname()[1]
    try:
        yield reports
    finally:
        server.close()


async def lines(reader: asyncio.StreamReader) -> AsyncIterator[str]:
    """What comes over a connection, until it ends."""
    with contextlib.suppress(ConnectionError, ValueError):
        while line := await reader.readline():
            yield line.decode(errors="replace").removesuffix("\n")
