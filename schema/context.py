"""What the nouns ask of an operation: everything that is read only when somebody selects it.

A type holds the row it was made from. Whatever needs I/O it asks of `Reads`, which the resolvers
implement, once an operation, so that asking for the tags of a hundred images is one query.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Protocol

import strawberry

if TYPE_CHECKING:
    import models
    from schema.build_difference import BuildDifference
    from schema.image import Image
    from schema.log import BuildLogPage
    from schema.page import Page
    from schema.saved_container import ChangedFile


@dataclass(frozen=True, slots=True)
class Viewer:
    """Who asks, as authentication established it."""

    name: str
    admin: bool = False
    groups: frozenset[str] = frozenset()


@dataclass(kw_only=True)
class Context:
    """One operation's context; the resolvers extend it by what the verbs need."""

    viewer: Viewer
    reads: Reads
    chinese: bool = False  # whether the client prefers Chinese to English


Info = strawberry.Info[Context, None]


class Reads(Protocol):
    """Lazily read data, as the viewer may see it. Each answers for rows that the viewer may see."""

    async def is_admin(self, name: str) -> bool:
        """Whether the user of this name is an administrator."""

    async def image_tags(self, image: models.Image) -> list[models.Tag]:
        """The image's tags with their categories fetched, in the order of categories and names."""

    async def category_tags(self, category: models.TagCategory) -> list[models.Tag]:
        """The category's tags by name."""

    async def can_edit(self, image: models.Image) -> bool:
        """Whether the viewer may change, rebuild and delete the image."""

    async def image_builds(
        self, image: models.Image, first: int, after: str | None
    ) -> Page[models.Build]:
        """The image's builds, newest first. Raises InvalidCursor."""

    async def image_edits(
        self, image: models.Image, first: int, after: str | None
    ) -> Page[models.ImageEdit]:
        """The edits of the image's record, newest first. Raises InvalidCursor."""

    async def count_builds(self, image: models.Image) -> int:
        """How many builds the image has."""

    async def latest_build(self, image: models.Image) -> models.Build | None:
        """The build with the highest number, or None for an image that was registered."""

    async def build(self, id_: int) -> models.Build | None:
        """A build by its key, such as the one that made an image's current digest."""

    async def image_of(self, build: models.Build) -> Image:
        """The image that a build belongs to.

        A noun where the others are rows: images have builds, so a build cannot import them.
        """

    async def build_steps(self, build: models.Build) -> list[models.BuildStep]:
        """The build's steps by index."""

    async def build_differences(self, build: models.Build) -> list[BuildDifference]:
        """What differs between the inputs of the build and of the one that it repeats."""

    async def build_record(self, build: models.Build) -> dict[str, object]:
        """The build's whole record, as docs/record.schema.json describes it."""

    async def queue_position(self, build: models.Build) -> int | None:
        """The build's place among those that wait, from 1; None when it does not wait."""

    async def changed_files(self, build: models.Build, after: int, most: int) -> list[ChangedFile]:
        """Up to `most` files that a saved container changed, behind the first `after`."""

    async def line_count(self, build: models.Build) -> int:
        """How many lines the build's log has so far."""

    async def build_log(self, build: models.Build, after: int, max_lines: int) -> BuildLogPage:
        """At most `max_lines` lines of the log behind line `after`."""

    def log_url(self, build: models.Build) -> str:
        """The absolute address of the build's log, as this request's client reaches it."""
