"""Manifests and indexes (OCI image specification; Docker's schema 2 differs only in its names)."""

from collections.abc import Iterable
from dataclasses import dataclass
from enum import StrEnum
from typing import Self

from engine.reference import is_digest
from engine.registry.config import Config
from engine.registry.fields import Malformed, Object, nested, objects, optional_text, size, text


class MediaType(StrEnum):
    """The documents that describe an image."""

    OCI_INDEX = "application/vnd.oci.image.index.v1+json"
    OCI_MANIFEST = "application/vnd.oci.image.manifest.v1+json"
    OCI_CONFIG = "application/vnd.oci.image.config.v1+json"
    OCI_LAYER = "application/vnd.oci.image.layer.v1.tar"
    OCI_LAYER_GZIP = "application/vnd.oci.image.layer.v1.tar+gzip"
    OCI_LAYER_ZSTD = "application/vnd.oci.image.layer.v1.tar+zstd"
    DOCKER_INDEX = "application/vnd.docker.distribution.manifest.list.v2+json"
    DOCKER_MANIFEST = "application/vnd.docker.distribution.manifest.v2+json"
    DOCKER_CONFIG = "application/vnd.docker.container.image.v1+json"
    DOCKER_LAYER_GZIP = "application/vnd.docker.image.rootfs.diff.tar.gzip"


INDEXES = frozenset({MediaType.OCI_INDEX, MediaType.DOCKER_INDEX})
MANIFESTS = frozenset({MediaType.OCI_MANIFEST, MediaType.DOCKER_MANIFEST})
CONFIGS = frozenset({MediaType.OCI_CONFIG, MediaType.DOCKER_CONFIG})
ACCEPT = ", ".join(
    (
        MediaType.OCI_INDEX,
        MediaType.DOCKER_INDEX,
        MediaType.OCI_MANIFEST,
        MediaType.DOCKER_MANIFEST,
    )
)


@dataclass(frozen=True, slots=True)
class Platform:
    """What an image runs on, in Go's words: `linux/amd64`, `linux/arm/v7`."""

    os: str
    architecture: str
    variant: str | None = None

    def __str__(self) -> str:
        return "/".join(filter(None, (self.os, self.architecture, self.variant)))

    @classmethod
    def parse(cls, text: str) -> Self:
        """Read `os/architecture[/variant]`; raises ValueError."""
        os, architecture, *variant = text.split("/")
        if len(variant) > 1 or not all((os, architecture, *variant)):
            raise ValueError(f"`{text}` is not a platform; write `os/architecture[/variant]`")
        return cls(os, architecture, *variant)

    def runs(self, image: "Platform") -> bool:
        """Whether an image for `image` is one for this platform; no variant means any."""
        same = (self.os, self.architecture) == (image.os, image.architecture)
        return same and (self.variant is None or self._version == image._version)

    @property
    def _version(self) -> str | None:
        # There is one arm64 in use; some builders write its version and some do not.
        return self.variant or ("v8" if self.architecture == "arm64" else None)


LINUX_AMD64 = Platform("linux", "amd64")


@dataclass(frozen=True, slots=True)
class Descriptor:
    """Points at content: what it is, its digest, its size in bytes."""

    media_type: str
    digest: str
    size: int
    platform: Platform | None = None
    """What the image is for; only in an index."""


@dataclass(frozen=True, slots=True)
class Manifest:
    """An image for one platform."""

    descriptor: Descriptor
    """Of the manifest itself."""
    body: bytes
    """As the registry holds it, which is what the digest is of."""
    config_descriptor: Descriptor
    config: Config
    layers: tuple[Descriptor, ...]
    """The base's first."""
    index: Descriptor | None
    """The multi-platform index that it was found in, if it was."""
    platforms: tuple[Platform, ...]
    """All that the reference has an image for."""

    @property
    def size(self) -> int:
        """The sum of the compressed layers, in bytes."""
        return sum(layer.size for layer in self.layers)

    @property
    def platform(self) -> Platform:
        """What the config says that the image runs on."""
        return Platform(self.config.os, self.config.architecture, self.config.variant)


def parse_descriptor(source: Object) -> Descriptor:
    """Raises Malformed."""
    digest = text(source, "digest")
    if not is_digest(digest):
        raise Malformed("`digest` is not a digest")
    platform = nested(source, "platform")
    return Descriptor(
        text(source, "mediaType"),
        digest,
        size(source, "size"),
        _parse_platform(platform) if platform else None,
    )


def parse_manifest(document: Object) -> tuple[Descriptor, tuple[Descriptor, ...]]:
    """The config's and the layers' descriptors; raises Malformed."""
    config = parse_descriptor(nested(document, "config"))
    if config.media_type not in CONFIGS:
        raise Malformed(f"it describes no container image but `{config.media_type}`")
    return config, tuple(parse_descriptor(layer) for layer in objects(document, "layers"))


def parse_index(document: Object) -> tuple[Descriptor, ...]:
    """The images of an index that can run somewhere; raises Malformed."""
    entries = (parse_descriptor(entry) for entry in objects(document, "manifests"))
    return tuple(entry for entry in entries if entry.media_type in MANIFESTS and _runs(entry))


def choose(images: Iterable[Descriptor], platform: Platform) -> Descriptor | None:
    """The first image for `platform`."""
    return next(
        (image for image in images if image.platform and platform.runs(image.platform)), None
    )


def _parse_platform(source: Object) -> Platform:
    return Platform(
        text(source, "os"), text(source, "architecture"), optional_text(source, "variant")
    )


def _runs(entry: Descriptor) -> bool:
    # BuildKit stores what it attests of an image as an entry for unknown/unknown.
    return entry.platform is not None and entry.platform.os != "unknown"
