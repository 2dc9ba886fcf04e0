"""One registry over HTTP: addresses, logins, retries, and errors instead of statuses."""

import asyncio
import contextlib
from collections.abc import AsyncIterable, AsyncIterator, Mapping
from dataclasses import dataclass, field
from typing import Self

import aiohttp
from yarl import URL

from engine import metrics
from engine.reference import DOCKER_HUB, check_host, check_repository
from engine.registry.access import Access
from engine.registry.auth import Authenticator
from engine.registry.credentials import Credentials, is_loopback
from engine.registry.errors import RegistryProtocolError, RegistryUnreachable
from engine.registry.failure import broken_connection, read_limited, read_reason, refusal

_API_HOSTS = {DOCKER_HUB: "registry-1.docker.io"}
"""Docker Hub alone serves its registry under another name than its references have."""

CONTROL = aiohttp.ClientTimeout(total=60, sock_connect=10)
"""For requests whose answers are small."""
STREAM = aiohttp.ClientTimeout(total=None, sock_connect=10, sock_read=60)
"""For reading blobs of any size: only silence is limited."""
COMMIT = aiohttp.ClientTimeout(total=None, sock_connect=10, sock_read=600)
"""For writing blobs: a registry on an object store copies the blob before it answers."""

_READS = frozenset({"GET", "HEAD"})
_PAUSES = (0.2, 0.8)
"""Seconds before the second and the third try of a read."""
_LONGEST_PAUSE = 10.0
"""Seconds that a registry may make a read wait; beyond, the caller learns at once."""


@dataclass(frozen=True, slots=True)
class Request:
    """What goes to the registry. A body that is a stream can be sent only once."""

    method: str
    url: URL
    access: Access
    headers: Mapping[str, str] = field(default_factory=dict)
    body: bytes | AsyncIterable[bytes] | None = None
    timeout: aiohttp.ClientTimeout = CONTROL


class Transport:
    """A connection to one registry.

    `host` is `host[:port]`. `insecure` chooses plain http; left out, loopback hosts alone get it.
    Raises BadReference when `host` is not one.
    """

    def __init__(
        self, host: str, credentials: Credentials | None = None, insecure: bool | None = None
    ) -> None:
        self.host = check_host(host)
        authority = URL(f"//{_API_HOSTS.get(host, host)}")
        plain = is_loopback(authority.host) if insecure is None else insecure
        self._base = authority.with_scheme("http" if plain else "https")
        self._auth = Authenticator(host, credentials)
        self._session: aiohttp.ClientSession | None = None

    async def __aenter__(self) -> Self:
        self._session = aiohttp.ClientSession(
            # Harbor sets session cookies, which would mix one login with the next.
            cookie_jar=aiohttp.DummyCookieJar(),
            # Digests are of the bytes as stored, so nothing may be unpacked on the way.
            auto_decompress=False,
            headers={"Accept-Encoding": "identity", "User-Agent": "darkroom"},
        )
        return self

    async def __aexit__(self, *_: object) -> None:
        if self._session:
            await self._session.close()
            self._session = None

    def _url(self, repository: str, path: str) -> URL:
        return self._base.with_path(f"/v2/{check_repository(repository)}/{path}")

    def _location(self, response: aiohttp.ClientResponse, access: Access) -> URL:
        """Where a registry says to go on."""
        location = response.headers.get("Location", "")
        with contextlib.suppress(ValueError):
            url = self._base.join(URL(location, encoded=True))
            if location and url.scheme in {"http", "https"}:
                return url
        raise RegistryProtocolError(f"{self.host} names no address to go on with {access.what}.")

    @contextlib.asynccontextmanager
    async def _open(self, request: Request) -> AsyncIterator[aiohttp.ClientResponse]:
        """The answer to `request`, while the block reads it; raises RegistryError."""
        try:
            async with await self._patiently(request) as response:
                yield response
        except (aiohttp.ClientError, TimeoutError) as error:
            raise broken_connection(self.host, error) from error

    async def _read(self, request: Request, limit: int) -> tuple[aiohttp.ClientResponse, bytes]:
        """The answer to `request` with its whole body of at most `limit` bytes."""
        async with self._open(request) as response:
            return response, await read_limited(response, limit, self.host)

    async def _do(self, request: Request) -> aiohttp.ClientResponse:
        """The answer to `request`, of which the headers alone matter."""
        async with self._open(request) as response:
            return response

    async def _patiently(self, request: Request) -> aiohttp.ClientResponse:
        pauses = iter(_PAUSES if request.method in _READS else ())
        while True:
            try:
                return await self._successful(request)
            except RegistryUnreachable as error:
                pause = next(pauses, None)
                if pause is None or error.retry_after is None or error.retry_after > _LONGEST_PAUSE:
                    raise
                await asyncio.sleep(max(pause, error.retry_after))

    async def _successful(self, request: Request) -> aiohttp.ClientResponse:
        response = await self._authorized(request)
        if response.status < 400:
            return response
        async with response:
            reason = self._auth.redact(await read_reason(response))
            raise refusal(response, self.host, request.access, self._auth.username, reason)

    async def _authorized(self, request: Request) -> aiohttp.ClientResponse:
        if request.url.origin() != self._base.origin():
            # An upload may continue elsewhere; our login stays here.
            return await self._send(request, None)
        sent = self._auth.header(request.access)
        response = await self._send(request, sent)
        if response.status != 401:
            return response
        challenges = response.headers.getall("WWW-Authenticate", [])
        header = await self._auth.answer(self._opened, challenges, request.access, sent)
        if header is None or not isinstance(request.body, bytes | None):
            return response
        response.release()
        return await self._send(request, header)

    async def _send(self, request: Request, authorization: str | None) -> aiohttp.ClientResponse:
        headers = dict(request.headers)
        if authorization:
            headers["Authorization"] = authorization
        try:
            with metrics.registry_seconds.labels(request.method).time():
                return await self._opened.request(
                    request.method,
                    request.url,
                    headers=headers,
                    data=request.body,
                    timeout=request.timeout,
                    # Blobs are often read from an object store; aiohttp takes no login there.
                    allow_redirects=request.method in _READS,
                    max_redirects=5,
                )
        except (aiohttp.ClientError, TimeoutError) as error:
            raise broken_connection(self.host, error) from error

    @property
    def _opened(self) -> aiohttp.ClientSession:
        if self._session is None:
            raise RuntimeError("a Registry is used inside `async with`")
        return self._session
