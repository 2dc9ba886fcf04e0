"""What an engine says about itself and its images, read into types."""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any, Literal, Self

_FIRST_API_WITH_BUILDKIT = (1, 39)


@dataclass(frozen=True, slots=True)
class EngineInfo:
    """What an engine is and can do."""

    id: str
    """The engine's own; all who use one engine see the same."""
    name: str
    version: str
    api_version: str
    builder: Literal["buildkit", "classic"]
    image_store: Literal["containerd", "docker"]
    """`containerd` can make the same digest twice; any other store counts as `docker`."""
    platform: str
    """Operating system and architecture in OCI's words: `linux/amd64`."""

    @classmethod
    def read(cls, version: Mapping[str, Any], info: Mapping[str, Any]) -> Self:
        """From the answers to `GET /version` and `GET /info`."""
        component = (version.get("Components") or [{}])[0]
        name = str(component.get("Name", "Engine"))
        return cls(
            id=str(info.get("ID", "")),
            name="Docker Engine" if name == "Engine" else name,
            version=str(version["Version"]),
            api_version=str(version["ApiVersion"]),
            builder=_builder(name, version),
            image_store=_image_store(info),
            platform=f"{version['Os']}/{version['Arch']}",
        )


@dataclass(frozen=True, slots=True)
class PrunedCache:
    """What an engine has removed from its build cache."""

    records: int
    size: int
    """Bytes."""

    @classmethod
    def read(cls, answer: Mapping[str, Any]) -> Self:
        """From the answer to `POST /build/prune`."""
        return cls(len(answer.get("CachesDeleted") or []), int(answer.get("SpaceReclaimed") or 0))


@dataclass(frozen=True, slots=True)
class EngineImage:
    """An image that the engine has."""

    id: str
    size: int
    """Bytes on the engine's disk."""
    references: tuple[str, ...]
    labels: Mapping[str, str]
    created_at: datetime

    @classmethod
    def inspected(cls, image: Mapping[str, Any]) -> Self:
        """From `GET /images/{name}/json`."""
        return cls(
            id=image["Id"],
            size=int(image["Size"]),
            references=_references(image),
            labels=(image.get("Config") or {}).get("Labels") or {},
            # Go writes nanoseconds; what is finer than a microsecond is cut.
            created_at=datetime.fromisoformat(image["Created"]),
        )

    @classmethod
    def listed(cls, image: Mapping[str, Any]) -> Self:
        """From a row of `GET /images/json`."""
        return cls(
            id=image["Id"],
            size=int(image["Size"]),
            references=_references(image),
            labels=image.get("Labels") or {},
            created_at=datetime.fromtimestamp(image["Created"], UTC),
        )


def _builder(name: str, version: Mapping[str, Any]) -> Literal["buildkit", "classic"]:
    """Which builder answers: Podman takes BuildKit's parameters, and runs Buildah."""
    api = tuple(int(part) for part in str(version["ApiVersion"]).split("."))
    is_docker = name == "Engine" and version["Os"] == "linux"
    return "buildkit" if is_docker and api >= _FIRST_API_WITH_BUILDKIT else "classic"


def _image_store(info: Mapping[str, Any]) -> Literal["containerd", "docker"]:
    status = {pair[0]: pair[1] for pair in info.get("DriverStatus") or [] if len(pair) > 1}
    is_containerd = str(status.get("driver-type", "")).startswith("io.containerd.snapshotter")
    return "containerd" if is_containerd else "docker"


def _references(image: Mapping[str, Any]) -> tuple[str, ...]:
    names = [*(image.get("RepoTags") or []), *(image.get("RepoDigests") or [])]
    return tuple(name for name in names if not name.startswith("<none>"))
