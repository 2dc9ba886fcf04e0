"""HTTP to a checked server: the connection goes to its checked addresses and follows nothing."""

import contextlib
import socket
import ssl
from collections.abc import AsyncIterator

import aiohttp
from aiohttp.abc import AbstractResolver, ResolveResult

from engine.git.guard import Endpoint
from engine.git.policy import GitPolicy


class _Pinned(AbstractResolver):
    """Knows one host, by the addresses that were checked."""

    def __init__(self, endpoint: Endpoint) -> None:
        self._endpoint = endpoint

    async def resolve(
        self, host: str, port: int = 0, family: socket.AddressFamily = socket.AF_UNSPEC
    ) -> list[ResolveResult]:
        """The checked addresses. Raises OSError for any other host."""
        if host != self._endpoint.host:
            raise OSError(f"{host} was not checked")
        return [
            ResolveResult(
                hostname=host,
                host=address,
                port=port,
                family=socket.AF_INET6 if ":" in address else socket.AF_INET,
                proto=0,
                flags=socket.AI_NUMERICHOST,
            )
            for address in self._endpoint.addresses
        ]

    async def close(self) -> None:
        """Nothing is held."""


@contextlib.asynccontextmanager
async def pinned_session(
    endpoint: Endpoint, policy: GitPolicy, limits: aiohttp.ClientTimeout
) -> AsyncIterator[aiohttp.ClientSession]:
    """A session for this endpoint alone. Pass `allow_redirects=False` to its requests."""
    trusted = ssl.create_default_context(cafile=policy.ca_file) if policy.ca_file else True
    connector = aiohttp.TCPConnector(resolver=_Pinned(endpoint), ssl=trusted)
    agent = {"User-Agent": "git/2.39 (darkroom)"}
    async with aiohttp.ClientSession(connector=connector, timeout=limits, headers=agent) as session:
        yield session
