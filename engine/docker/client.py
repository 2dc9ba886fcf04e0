"""A Docker Engine, asked through its API: what it is, which images it has, pull, push, tag."""

import asyncio
import contextlib
import json
import ssl
from collections.abc import AsyncGenerator, AsyncIterator, Awaitable, Callable, Iterator, Mapping
from datetime import timedelta
from types import TracebackType
from typing import Self

import aiohttp
from aiodocker import Docker, DockerError

from engine import metrics
from engine.docker.ahead import read_ahead
from engine.docker.auth import Credentials, registry_auth
from engine.docker.info import EngineImage, EngineInfo, PrunedCache
from engine.docker.progress import Transfer
from engine.docker.registry_failures import base_failure, push_failure
from engine.docker.stream import Message, error_in, json_lines
from engine.errors import BuildFailed
from engine.reference import parse_reference
from models.enums import FailureCode

OnProgress = Callable[[str], Awaitable[None]]

# aiodocker's own status for an engine that cannot be connected to.
_NO_CONNECTION = 900
_NOT_FOUND = 404
_CONNECT_SECONDS = 10
_PING_SECONDS = 5
# Builds and pushes last as long as they last; whoever asks for one owns its time limit.
_PATIENT = aiohttp.ClientTimeout(total=None, sock_connect=_CONNECT_SECONDS)


class DockerEngine:
    """One engine at `unix:///…`, `tcp://…`, `http://…` or `https://…`; enter it to use it.

    Entering connects to nothing. Every method raises BuildFailed(ENGINE_UNREACHABLE) when the
    engine does not answer or stops answering half-way.
    """

    def __init__(self, url: str, *, tls: ssl.SSLContext | None = None) -> None:
        # aiodocker does not speak TLS to an address that begins with tcp://.
        self.url = url.replace("tcp://", "https://", 1) if tls else url
        self._tls = tls
        self._client: Docker | None = None

    async def __aenter__(self) -> Self:
        self._client = self._new_client()
        return self

    async def __aexit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        if self._client is not None:
            await self._client.close()
            self._client = None

    async def ping(self) -> None:
        """Return when the engine answers on a new connection.

        One that is being stopped goes on serving the connections that it has, and takes no others.
        """
        with self._talking():
            async with (
                asyncio.timeout(_PING_SECONDS),
                self._new_client() as fresh,
                fresh._query("_ping", versioned_api=False) as response,
            ):
                await response.read()

    async def info(self) -> EngineInfo:
        """What the engine is; asked anew each time, for engines are upgraded under way."""
        with self._talking("describe itself"), metrics.engine_seconds.time():
            version = await self._docker.version()
            info = await self._docker.system.info()
        return EngineInfo.read(version, info)

    async def pull(
        self,
        reference: str,
        credentials: Credentials | None = None,
        on_progress: OnProgress | None = None,
    ) -> None:
        """Have the image that `reference` names, by digest or by tag.

        The engine does not ask the registry about a digest that it has already: whether somebody
        may use an image has to be asked of the registry, before.

        Raises BuildFailed: BASE_NOT_FOUND, BASE_DENIED, REGISTRY_UNREACHABLE.
        """
        # Without a tag or digest the engine would pull every tag that there is.
        params = {"fromImage": str(parse_reference(reference))}
        try:
            await self._transfer("images/create", params, credentials, on_progress)
        except DockerError as error:
            raise base_failure(reference, error.message) from error

    async def push(
        self,
        repository: str,
        tag: str,
        credentials: Credentials | None = None,
        on_progress: OnProgress | None = None,
    ) -> str:
        """Push `repository:tag`, where `repository` begins with the registry's host.

        Returns the manifest's digest as the engine reports it. Raises BuildFailed: PUSH_DENIED,
        REGISTRY_UNREACHABLE.
        """
        reference = f"{repository}:{tag}"
        path = f"images/{repository}/push"
        try:
            messages = await self._transfer(path, {"tag": tag}, credentials, on_progress)
        except DockerError as error:
            raise push_failure(reference, error.message) from error
        digest = next(filter(None, map(_pushed_digest, reversed(messages))), None)
        if digest is None:
            raise push_failure(reference, "the engine names no digest")
        return digest

    async def tag(self, image: str, repository: str, tag: str) -> None:
        """Give an image, by id or reference, one more name."""
        with self._talking(f"tag {image} as {repository}:{tag}"):
            await self._docker.images.tag(image, repository, tag=tag)

    async def image(self, reference: str) -> EngineImage | None:
        """The image with this reference or id; None when the engine does not have it."""
        with self._talking(f"show {reference}"):
            try:
                found = await self._docker.images.inspect(reference)
            except DockerError as error:
                if error.status == _NOT_FOUND:
                    return None
                raise
        return EngineImage.inspected(found)

    async def remove_image(
        self, reference: str, *, force: bool = False, noprune: bool = False
    ) -> None:
        """Remove a name, and the image when it was the last one; quiet when there is none.

        `force` removes an id with all its names. `noprune` keeps parents that have no name.
        """
        with self._talking(f"remove {reference}"):
            try:
                await self._docker.images.delete(reference, force=force, noprune=noprune)
            except DockerError as error:
                if error.status != _NOT_FOUND:
                    raise

    async def leftovers(self, label: str) -> list[EngineImage]:
        """The images that carry `label` (`key` or `key=value`), oldest first.

        What a worker that was killed left behind is found by the label that its builds carry.
        """
        with self._talking("list its images"):
            images = await self._docker.images.list(filters={"label": [label]})
        return sorted(map(EngineImage.listed, images), key=lambda image: image.created_at)

    async def named(self, pattern: str) -> list[EngineImage]:
        """The images one of whose names matches; `*` stands for anything but `/`."""
        with self._talking("list its images"):
            images = await self._docker.images.list(filters={"reference": [pattern]})
        return [EngineImage.listed(image) for image in images]

    async def prune_cache(
        self, *, unused_for: timedelta | None = None, keep_bytes: int = 0
    ) -> PrunedCache:
        """Remove what the builder's cache keeps beyond an age or a size, the least used first.

        What images are made of stays. Removes nothing where the builder keeps no such cache.
        """
        params = {"keep-storage": str(keep_bytes)}
        if unused_for is not None:
            until = f"{int(unused_for.total_seconds())}s"
            params["filters"] = json.dumps({"until": [until]})
        with self._talking("prune its build cache"):
            try:
                async with self._docker._query("build/prune", "POST", params=params) as response:
                    return PrunedCache.read(await response.json())
            except DockerError as error:
                if error.status == _NOT_FOUND:
                    return PrunedCache(0, 0)
                raise

    async def messages(
        self,
        path: str,
        params: Mapping[str, str],
        headers: Mapping[str, str],
        body: AsyncIterator[bytes] | None = None,
    ) -> AsyncGenerator[Message, None]:
        """The answer to a POST, message by message.

        Close this iterator (`contextlib.aclosing`): leaving the answer is what makes the engine
        stop its work. Raises aiodocker's DockerError when the engine refuses the request, or says
        in the middle that it gave up.
        """
        with self._talking():
            async with self._docker._query(
                path, "POST", params=dict(params), headers=headers, data=body, timeout=_PATIENT
            ) as response:
                try:
                    async with (
                        contextlib.aclosing(read_ahead(response.content.iter_any())) as chunks,
                        contextlib.aclosing(json_lines(chunks)) as messages,
                    ):
                        async for message in messages:
                            if error := error_in(message):
                                raise DockerError(0, error)
                            yield message
                finally:
                    response.close()

    async def _transfer(
        self,
        path: str,
        params: Mapping[str, str],
        credentials: Credentials | None,
        on_progress: OnProgress | None,
    ) -> list[Message]:
        """Follow a pull or push to its end; the messages about the whole of it are returned."""
        whole, transfer = [], Transfer()
        messages = self.messages(path, params, registry_auth(credentials))
        async with contextlib.aclosing(messages):
            async for message in messages:
                if not message.get("id"):
                    whole.append(message)
                if on_progress and (line := transfer.line(message)):
                    await on_progress(line)
        return whole

    def _new_client(self) -> Docker:
        return Docker(self.url, ssl_context=self._tls, timeout=_PATIENT)

    @property
    def _docker(self) -> Docker:
        if self._client is None:
            raise RuntimeError("Enter the DockerEngine (`async with`) before using it.")
        return self._client

    @contextlib.contextmanager
    def _talking(self, doing: str = "") -> Iterator[None]:
        """What goes wrong with the connection, as a failure; and, of `doing`, the engine's no."""
        try:
            yield
        except DockerError as error:
            if error.status == _NO_CONNECTION:
                raise self._unreachable("cannot be connected to") from error
            if not doing:
                raise
            raise BuildFailed(
                FailureCode.INTERNAL, f"The Docker Engine did not {doing}: {error.message}."
            ) from error
        except json.JSONDecodeError as error:
            raise BuildFailed(
                FailureCode.INTERNAL, f"What answers at {self.url} does not speak JSON."
            ) from error
        except TimeoutError as error:
            raise self._unreachable("does not answer") from error
        except aiohttp.ClientError as error:
            raise self._unreachable("ended the connection half-way") from error

    def _unreachable(self, how: str) -> BuildFailed:
        return BuildFailed(
            FailureCode.ENGINE_UNREACHABLE,
            f"The Docker Engine at {self.url} {how}. Check that it runs.",
        )


def _pushed_digest(message: Message) -> str | None:
    if isinstance(aux := message.get("aux"), dict) and aux.get("Digest"):
        return str(aux["Digest"])
    # Podman says it in words alone: `1: digest: sha256:… size: 737`.
    _, found, rest = str(message.get("status", "")).partition(": digest: ")
    return rest.split()[0] if found else None
