"""What the registry says of an image, and what else it holds."""

from collections.abc import Mapping
from datetime import datetime
from typing import Any

import strawberry


@strawberry.type(description="A label of an image's config.")
class Label:
    """One entry of a map, which GraphQL does not have."""

    name: str = strawberry.field(description="`org.opencontainers.image.source`, for instance.")
    value: str = strawberry.field(description="The label's value.")


@strawberry.type(description="One step of how an image was made, as its config tells.")
class HistoryEntry:
    """An entry of the OCI config's `history`."""

    created_at: datetime | None = strawberry.field(description="When; null where it is not told.")
    created_by: str = strawberry.field(description="The command that made it.")
    comment: str = strawberry.field(description="What its author said; may be empty.")
    empty: bool = strawberry.field(description="Whether it made no layer.")


@strawberry.type(description="What the registry says of an image that was not built here.")
class ImageDetails:
    """The JSON of `Image.details`."""

    created_at: datetime | None = strawberry.field(description="When the image was made.")
    entrypoint: list[str] | None = strawberry.field(description="What a container runs.")
    cmd: list[str] | None = strawberry.field(description="Its arguments.")
    env: list[str] = strawberry.field(description="Its environment: `NAME=value`.")
    labels: list[Label] = strawberry.field(description="Its labels.")
    platforms: list[str] = strawberry.field(description="All that the tag has an image for.")
    history: list[HistoryEntry] = strawberry.field(description="How it was made, oldest first.")

    @classmethod
    def of(cls, recorded: Mapping[str, Any] | None) -> "ImageDetails | None":
        """The details on record, or None for an image that was built here."""
        if not recorded:
            return None
        return cls(
            created_at=_time(recorded["createdAt"]),
            entrypoint=recorded["entrypoint"],
            cmd=recorded["cmd"],
            env=recorded["env"],
            labels=[Label(name=name, value=value) for name, value in recorded["labels"].items()],
            platforms=recorded["platforms"],
            history=[
                HistoryEntry(
                    created_at=_time(entry["created"]),
                    created_by=entry["created_by"],
                    comment=entry["comment"],
                    empty=entry["empty"],
                )
                for entry in recorded["history"]
            ],
        )


@strawberry.type(description="Names that the registry lists, in order.")
class RegistryNames:
    """A page of repositories or of tags."""

    names: list[str] = strawberry.field(description="The names of this page.")
    end_cursor: str | None = strawberry.field(
        description="Give it as `after` to go on; null at the end."
    )


def _time(text: str | None) -> datetime | None:
    return datetime.fromisoformat(text) if text else None
