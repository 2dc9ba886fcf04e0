"""Blobs: layers and configs, found by their digest."""

import contextlib
from collections.abc import AsyncIterable, AsyncIterator

import aiohttp
from yarl import URL

from engine.reference import check_digest
from engine.registry.access import Access, delete, mount, pull, push
from engine.registry.digest import CHUNK, Measure, algorithm_of
from engine.registry.errors import (
    RegistryDenied,
    RegistryError,
    RegistryNotFound,
    RegistryProtocolError,
)
from engine.registry.transport import COMMIT, STREAM, Request, Transport

_COURTESY = aiohttp.ClientTimeout(total=5)
"""For taking back an upload, which somebody who cancelled is waiting for."""


class Blobs(Transport):
    """Reads and writes blobs."""

    async def has_blob(self, repository: str, digest: str) -> bool:
        """Whether `repository` holds the blob."""
        try:
            await self._do(Request("HEAD", *self._blob(repository, digest)))
        except RegistryNotFound:
            return False
        return True

    async def blob(self, repository: str, digest: str) -> AsyncIterator[bytes]:
        """The blob's bytes as they arrive.

        They are proven only at the end: raises RegistryProtocolError after the last chunk when
        they are not what `digest` names.
        """
        measure = Measure(algorithm_of(digest))
        request = Request("GET", *self._blob(repository, digest), timeout=STREAM)
        async with self._open(request) as response:
            async for chunk in response.content.iter_chunked(CHUNK):
                measure.update(chunk)
                yield chunk
        if measure.digest != digest:
            raise RegistryProtocolError(
                f"{self.host} sent {measure.digest} for {request.access.what}."
            )

    async def upload_blob(
        self, repository: str, digest: str, body: AsyncIterable[bytes], size: int
    ) -> None:
        """Store `size` bytes under `digest`; what `body` raises is raised here.

        A failure or a cancellation takes back what was sent, so that it fills nobody's quota.
        """
        check_digest(digest)
        access = push(repository, digest)
        location = await self._begin(repository, access)
        source = _Source(body, size)
        try:
            await self._do(
                Request(
                    "PUT",
                    location.extend_query({"digest": digest}),
                    access,
                    {"Content-Length": str(size), "Content-Type": "application/octet-stream"},
                    body=source,
                    timeout=COMMIT,
                )
            )
        except BaseException:
            await self._abandon(repository, location)
            if source.failure:
                raise source.failure from None
            raise

    async def mount_blob(self, repository: str, digest: str, from_repository: str) -> bool:
        """Take a blob over from another repository without sending it.

        False when the registry does not do that, or the login may not read there: upload it then.
        """
        url = self._url(repository, "blobs/uploads/").with_query(
            {"mount": check_digest(digest), "from": from_repository}
        )
        access = mount(repository, digest, from_repository)
        try:
            response = await self._do(Request("POST", url, access))
        except RegistryDenied:
            return False
        if response.status == 201:
            return True
        await self._abandon(repository, self._location(response, access))
        return False

    async def can_push(self, repository: str) -> None:
        """Return when the login may push to `repository`; raises RegistryError otherwise.

        Begins an upload and takes it back; nothing is stored.
        """
        location = await self._begin(repository, push(repository))
        await self._abandon(repository, location)

    async def _begin(self, repository: str, access: Access) -> URL:
        request = Request("POST", self._url(repository, "blobs/uploads/"), access)
        return self._location(await self._do(request), access)

    async def _abandon(self, repository: str, location: URL) -> None:
        # A courtesy: a registry that lets nobody delete clears uploads away in its own time.
        with contextlib.suppress(RegistryError):
            await self._do(Request("DELETE", location, delete(repository), timeout=_COURTESY))

    def _blob(self, repository: str, digest: str) -> tuple[URL, Access]:
        url = self._url(repository, f"blobs/{check_digest(digest)}")
        return url, pull(repository, digest)


class _Source:
    """A body on its way, whose own failure the HTTP client would hide behind one of its own."""

    def __init__(self, body: AsyncIterable[bytes], size: int) -> None:
        self._body = body
        self._size = size
        self._begun = False
        self.failure: Exception | None = None

    async def __aiter__(self) -> AsyncIterator[bytes]:
        if self._begun:
            # aiohttp repeats a PUT whose connection broke; what was read for it is gone.
            raise aiohttp.ClientConnectionError("the body cannot be sent again")
        self._begun = True
        try:
            async for chunk in self._exactly():
                yield chunk
        except Exception as error:
            self.failure = error
            raise

    async def _exactly(self) -> AsyncIterator[bytes]:
        sent = 0
        async for chunk in self._body:
            sent += len(chunk)
            if sent > self._size:
                break
            yield chunk
        if sent != self._size:
            raise ValueError(f"the blob does not have the {self._size} bytes that were announced")
