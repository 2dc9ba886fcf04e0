"""What a build was made from and by, as it is kept on record."""

from collections.abc import Mapping
from datetime import datetime
from typing import Any, Self

import strawberry


@strawberry.type(description="A commit of a git repository.")
class GitCommit:
    """The JSON of `Build.commit`: sha, author, message, committed_at (ISO 8601 with a zone)."""

    sha: str = strawberry.field(description="The commit's full object name.")
    author: str = strawberry.field(description="Who wrote the change: `Name <address>`.")
    message: str = strawberry.field(description="The commit's whole message.")
    committed_at: datetime = strawberry.field(description="When it was committed.")

    @classmethod
    def of(cls, recorded: Mapping[str, Any] | None) -> "GitCommit | None":
        """The commit on record, or None for a build that used none."""
        if not recorded:
            return None
        return cls(
            sha=recorded["sha"],
            author=recorded["author"],
            message=recorded["message"],
            committed_at=datetime.fromisoformat(recorded["committed_at"]),
        )


@strawberry.type(description="An image that a stage of the Dockerfile began from.")
class BaseImage:
    """One entry of `Build.bases`: reference, digest."""

    reference: str = strawberry.field(description="As the Dockerfile names it: `python:3.12`.")
    digest: str | None = strawberry.field(
        description="The digest that the reference had: `sha256:…`; null when it was not resolved."
    )

    @classmethod
    def of(cls, recorded: Mapping[str, Any]) -> Self:
        """The base image of this entry."""
        return cls(reference=recorded["reference"], digest=recorded.get("digest"))


@strawberry.type(description="The software that made a build, since results may differ by it.")
class BuildEnvironment:
    """The JSON of `Build.environment`; an entry is missing where the engine did not say it."""

    name: str | None = strawberry.field(description="The container engine: `Docker Engine`.")
    version: str | None = strawberry.field(description="The engine's version.")
    builder: str | None = strawberry.field(description="The engine's builder: `BuildKit`.")
    image_store: str | None = strawberry.field(
        description="Where the engine keeps images: `docker` or `containerd`. Only the latter "
        "can make the same digest twice."
    )
    darkroom: str | None = strawberry.field(description="Darkroom's own version.")

    @classmethod
    def of(cls, recorded: Mapping[str, Any]) -> "BuildEnvironment | None":
        """The environment on record, or None before a worker has begun."""
        if not recorded:
            return None
        return cls(
            name=recorded.get("engine"),
            version=recorded.get("engineVersion"),
            builder=recorded.get("builder"),
            image_store=recorded.get("imageStore"),
            darkroom=recorded.get("darkroom"),
        )


def reproducible(recorded: Mapping[str, Any]) -> bool | None:
    """Whether an environment can make the same digest twice; None before a worker has begun."""
    if not recorded:
        return None
    return recorded.get("imageStore") == "containerd" and recorded.get("builder") == "buildkit"
