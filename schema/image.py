"""An image."""

from datetime import datetime
from typing import Self

import strawberry

import models
from schema import ids
from schema.build import Build
from schema.build_connection import BuildConnection
from schema.context import Info
from schema.enums import ImageStatus, Origin, RegistryState, Visibility
from schema.field import field
from schema.image_edit import ImageEditConnection
from schema.node import Node
from schema.page import After, First
from schema.registry import ImageDetails
from schema.scalars import BigInt
from schema.source import ImageSource, source_of
from schema.tag import Tag
from schema.user import User


@strawberry.type(description="An image of the registry, and how it came to be.")
class Image(Node):
    """A row of `Image`. Attributes are what the row says; methods read more."""

    row: strawberry.Private[models.Image]
    name: str = strawberry.field(description="As the user gave it: `/aihub/demo_api:0.1`.")
    reference: str = strawberry.field(
        description="With the registry: `harbor.example.com/aihub/demo_api:0.1`."
    )
    registry: str = strawberry.field(description="The registry's host, and its port if it has one.")
    repository: str = strawberry.field(
        description="The repository within the registry: `aihub/demo_api`."
    )
    registry_tag: str = strawberry.field(description="The tag within the repository: `0.1`.")
    visibility: Visibility = strawberry.field(description="Who may see it.")
    description: str = strawberry.field(description="What its owner says about it; may be empty.")
    owner: User = strawberry.field(description="Who created it.")
    origin: Origin = strawberry.field(description="The way in which it was created.")
    source: ImageSource = strawberry.field(
        description="What the user entered for this way of creating. Never a secret."
    )
    status: ImageStatus = strawberry.field(description="Where the newest build is.")
    digest: str | None = strawberry.field(
        description="The manifest's digest in the registry: `sha256:…`."
    )
    size: BigInt | None = strawberry.field(
        description="The sum of the compressed layers, as the registry holds them."
    )
    platform: str | None = strawberry.field(
        description="Operating system and architecture: `linux/amd64`."
    )
    details: ImageDetails | None = strawberry.field(
        description="What the registry says of an image that was not built here."
    )
    registry_state: RegistryState = strawberry.field(
        description="Whether the registry's tag still is what is on record, when last looked."
    )
    registry_digest: str | None = strawberry.field(
        description="What the registry's tag was when last looked; null when it was gone."
    )
    checked_at: datetime | None = strawberry.field(
        description="When the registry was last looked at; `checkImage` looks now."
    )
    created_at: datetime = strawberry.field(description="When the record was made.")
    updated_at: datetime = strawberry.field(
        description="When the record, or its newest build, last changed."
    )

    @classmethod
    def of(cls, row: models.Image) -> Self:
        """The image of this row."""
        return cls(
            row=row,
            id=ids.encode("Image", row.id),
            name=row.name,
            reference=row.reference,
            registry=row.registry,
            repository=row.repository,
            registry_tag=row.registry_tag,
            visibility=row.visibility,
            description=row.description,
            owner=User.of(row.owner),
            origin=row.origin,
            source=source_of(row.origin, row.source),
            status=row.status,
            digest=row.digest,
            size=None if row.size is None else BigInt(row.size),
            platform=row.platform,
            details=ImageDetails.of(row.details),
            registry_state=row.registry_state,
            registry_digest=row.registry_digest,
            checked_at=row.checked_at,
            created_at=row.created_at,
            updated_at=row.updated_at,
        )

    @field("Its tags, in the order of categories and names.")
    async def tags(self, info: Info) -> list[Tag]:
        """Read for all images of a page at once."""
        return [Tag.of(row) for row in await info.context.reads.image_tags(self.row)]

    @field("The Dockerfile of the build that made the current digest.")
    async def dockerfile(self, info: Info) -> str | None:
        """None for an image that was registered or saved from a container."""
        if self.row.current_build_id is None:
            return None
        build = await info.context.reads.build(self.row.current_build_id)
        return build.dockerfile if build else None

    @field("Its builds, newest first.")
    async def builds(
        self, info: Info, first: First = 20, after: After = strawberry.UNSET
    ) -> BuildConnection:
        """A page of them."""
        page = await info.context.reads.image_builds(self.row, first, after or None)
        return BuildConnection.of(page, self.row)

    @field("Null for an image that was registered, not built: it has no log.")
    async def latest_build(self, info: Info) -> Build | None:
        """The build with the highest number."""
        build = await info.context.reads.latest_build(self.row)
        return Build.of(build) if build else None

    @field("Who changed the record, when and what, newest first; builds tell the rest.")
    async def history(
        self, info: Info, first: First = 20, after: After = strawberry.UNSET
    ) -> ImageEditConnection:
        """A page of the edits."""
        reads = info.context.reads
        page = await reads.image_edits(self.row, first, after or None)
        return ImageEditConnection.of(page, values=await reads.can_edit(self.row))

    @field("Whether the viewer may change, rebuild and delete it.")
    async def viewer_can_edit(self, info: Info) -> bool:
        """For front ends that hide what would be refused."""
        return await info.context.reads.can_edit(self.row)
