"""Manifests in a registry, and the images that they describe."""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime

import aiohttp

from engine.reference import check_digest, check_tag, is_digest
from engine.registry.access import delete, pull, push
from engine.registry.blobs import Blobs
from engine.registry.config import Config, Step, parse_config
from engine.registry.digest import algorithm_of, digest_of
from engine.registry.errors import RegistryError, RegistryNotFound, RegistryProtocolError
from engine.registry.fields import Malformed, parse_object
from engine.registry.manifest import (
    ACCEPT,
    INDEXES,
    LINUX_AMD64,
    MANIFESTS,
    Descriptor,
    Manifest,
    Platform,
    choose,
    parse_index,
    parse_manifest,
)
from engine.registry.transport import Request

DOCUMENT_LIMIT = 4 * 1024 * 1024
"""Bytes of a manifest or a config; the specification lets registries refuse larger ones."""


@dataclass(frozen=True, slots=True)
class ImageInfo:
    """What a registry tells of an image."""

    digest: str
    """What the reference stands for: the index's digest where there is one."""
    size: int
    """The sum of the compressed layers of this platform, in bytes."""
    platform: Platform
    platforms: tuple[Platform, ...]
    """All that the reference has an image for."""
    created: datetime | None
    entrypoint: tuple[str, ...] | None
    cmd: tuple[str, ...] | None
    env: tuple[str, ...]
    labels: Mapping[str, str]
    layers: tuple[Descriptor, ...]
    history: tuple[Step, ...]


@dataclass(frozen=True, slots=True)
class Document:
    """A manifest or an index, byte for byte as the registry holds it."""

    descriptor: Descriptor
    body: bytes

    @property
    def media_type(self) -> str:
        """What `put_manifest` has to be told to store it again."""
        return self.descriptor.media_type


class Images(Blobs):
    """Reads and writes manifests. A `reference` is a tag or a digest."""

    async def resolve(self, repository: str, reference: str) -> Descriptor:
        """What `reference` stands for now, without reading it."""
        request = self._manifest_request("HEAD", repository, reference)
        try:
            found = _described(await self._do(request), reference)
        except RegistryProtocolError:
            found = None  # some registries know no HEAD
        return found or (await self.document(repository, reference)).descriptor

    async def digest_under(self, repository: str, tag: str) -> str | None:
        """What a tag points to now; None when the registry has no such tag."""
        try:
            return (await self.resolve(repository, tag)).digest
        except RegistryNotFound:
            return None

    async def document(self, repository: str, reference: str) -> Document:
        """What `reference` stands for as it is stored, an index included; its digest is verified.

        This, not `manifest`, is what to store again under another tag.
        """
        request = self._manifest_request("GET", repository, reference)
        response, body = await self._read(request, DOCUMENT_LIMIT)
        claims = {reference} if is_digest(reference) else set()
        claims |= {claim for claim in (_digest_header(response),) if claim}
        for claim in claims:
            if digest_of(body, algorithm_of(claim)) != claim:
                raise RegistryProtocolError(
                    f"{self.host} sent {request.access.what} with other bytes than {claim} names."
                )
        digest = reference if is_digest(reference) else digest_of(body)
        return Document(Descriptor(response.content_type, digest, len(body)), body)

    async def manifest(
        self, repository: str, reference: str, platform: Platform = LINUX_AMD64
    ) -> Manifest:
        """The image for `platform`, or the only one there is, with every digest verified."""
        found = await self.document(repository, reference)
        if found.descriptor.media_type not in INDEXES:
            return await self._image_manifest(repository, found, None, ())
        try:
            images = parse_index(parse_object(found.body))
        except Malformed as error:
            raise self._malformed(repository, reference, error) from error
        chosen = choose(images, platform)
        platforms = tuple(image.platform for image in images if image.platform)
        if chosen is None:
            offer = ", ".join(map(str, platforms)) or "none"
            raise RegistryNotFound(
                f"{self.host} has no {pull(repository, reference).what} for {platform}; "
                f"it has: {offer}."
            )
        document = await self.document(repository, chosen.digest)
        return await self._image_manifest(repository, document, found.descriptor, platforms)

    async def image(
        self, repository: str, reference: str, platform: Platform = LINUX_AMD64
    ) -> ImageInfo:
        """All about the image for `platform`, or about the only one there is."""
        manifest = await self.manifest(repository, reference, platform)
        config = manifest.config
        return ImageInfo(
            digest=(manifest.index or manifest.descriptor).digest,
            size=manifest.size,
            platform=manifest.platform,
            platforms=manifest.platforms,
            created=config.created,
            entrypoint=config.entrypoint,
            cmd=config.cmd,
            env=config.env,
            labels=config.labels,
            layers=manifest.layers,
            history=config.history,
        )

    async def put_manifest(self, repository: str, tag: str, media_type: str, body: bytes) -> str:
        """Store a manifest or index under `tag`, or under its own digest, and return the digest."""
        if not is_digest(tag):
            check_tag(tag)
        response = await self._do(
            Request(
                "PUT",
                self._url(repository, f"manifests/{tag}"),
                push(repository, tag),
                {"Content-Type": media_type},
                body=body,
            )
        )
        digest = digest_of(body)
        stored = response.headers.get("Docker-Content-Digest", digest)
        if stored != digest:
            raise RegistryProtocolError(
                f"{self.host} stored {repository}:{tag} as {stored}, not as {digest}."
            )
        return digest

    async def delete_manifest(self, repository: str, digest: str) -> None:
        """Remove a manifest and every tag that points at it."""
        url = self._url(repository, f"manifests/{check_digest(digest)}")
        await self._do(Request("DELETE", url, delete(repository, digest)))

    async def _image_manifest(
        self,
        repository: str,
        found: Document,
        index: Descriptor | None,
        platforms: tuple[Platform, ...],
    ) -> Manifest:
        digest = found.descriptor.digest
        if found.descriptor.media_type not in MANIFESTS:
            raise RegistryProtocolError(
                f"{self.host} has {repository}@{digest} as `{found.descriptor.media_type}`, "
                "which is no image that can be read; push it anew."
            )
        try:
            config_descriptor, layers = parse_manifest(parse_object(found.body))
            config = await self._config(repository, config_descriptor)
        except Malformed as error:
            raise self._malformed(repository, digest, error) from error
        platform = Platform(config.os, config.architecture, config.variant)
        return Manifest(
            found.descriptor,
            found.body,
            config_descriptor,
            config,
            layers,
            index,
            platforms or (platform,),
        )

    async def _config(self, repository: str, descriptor: Descriptor) -> Config:
        if descriptor.size > DOCUMENT_LIMIT:
            raise Malformed(f"its config has {descriptor.size} bytes, {DOCUMENT_LIMIT} are allowed")
        body = bytearray()
        async for chunk in self.blob(repository, descriptor.digest):
            body += chunk
            if len(body) > descriptor.size:
                raise Malformed("its config is larger than it says")
        return parse_config(parse_object(bytes(body)))

    def _manifest_request(self, method: str, repository: str, reference: str) -> Request:
        if not is_digest(reference):
            check_tag(reference)
        url = self._url(repository, f"manifests/{reference}")
        return Request(method, url, pull(repository, reference), {"Accept": ACCEPT})

    def _malformed(self, repository: str, reference: str, error: Malformed) -> RegistryError:
        what = pull(repository, reference).what
        return RegistryProtocolError(f"{self.host} has {what}, but {error}.")


def _digest_header(response: aiohttp.ClientResponse) -> str | None:
    digest = response.headers.get("Docker-Content-Digest", "")
    return digest if is_digest(digest) else None


def _described(response: aiohttp.ClientResponse, reference: str) -> Descriptor | None:
    """What the headers of a HEAD say, or None when they do not say enough."""
    digest = _digest_header(response)
    size = response.content_length
    if digest is None or size is None or (is_digest(reference) and digest != reference):
        return None
    return Descriptor(response.content_type, digest, size)
