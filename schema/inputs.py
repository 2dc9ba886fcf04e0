"""What queries are narrowed by, and what `updateImage` and `rebuildImage` take."""

from typing import cast

import strawberry

from schema.enums import Direction, ImageOrderField, ImageStatus, Origin, Visibility


@strawberry.input(description="Narrows a list of images. What is left out narrows nothing.")
class ImageFilter:
    """All that is given must hold; None is the same as left out."""

    tags: list[str] | None = strawberry.field(
        default=strawberry.UNSET,
        description="`category/name`. Tags of one category are alternatives; categories narrow "
        "each other.",
    )
    search: str | None = strawberry.field(
        default=strawberry.UNSET, description="Part of the name or of the description."
    )
    visibility: Visibility | None = strawberry.field(
        default=strawberry.UNSET, description="Only images of this visibility."
    )
    status: list[ImageStatus] | None = strawberry.field(
        default=strawberry.UNSET, description="Only images in one of these states."
    )
    origin: list[Origin] | None = strawberry.field(
        default=strawberry.UNSET, description="Only images that were created in one of these ways."
    )
    mine: bool | None = strawberry.field(
        default=strawberry.UNSET, description="Only what the viewer owns."
    )


@strawberry.input(description="How a list of images is ordered.")
class ImageOrder:
    """Where values are equal, the id decides, in the same direction."""

    field: ImageOrderField = strawberry.field(description="What to order by.")
    direction: Direction = strawberry.field(
        default=Direction.DESC, description="Which end comes first."
    )


@strawberry.input(description="What to change. What is left out stays; what is null is cleared.")
class UpdateImageInput:
    """UNSET is what was left out, None what is to be cleared."""

    tags: list[str] | None = strawberry.field(
        default=strawberry.UNSET,
        description="All of its tags from now on, as `category/name`; null for none.",
    )
    visibility: Visibility | None = strawberry.field(
        default=strawberry.UNSET,
        description="Who may see it from now on; null for the default, PRIVATE.",
    )
    description: str | None = strawberry.field(
        default=strawberry.UNSET, description="The new description; null for none."
    )
    token_name: str | None = strawberry.field(
        default=strawberry.UNSET,
        description="What the user calls the access token; null for no name. Only for images "
        "from git.",
    )
    token: str | None = strawberry.field(
        default=strawberry.UNSET,
        description="Replaces the access token that later builds use; null for none. Sealed at "
        "once, never returned, never logged. Only for images from git.",
    )


@strawberry.input(description="What to build again, and how faithfully.")
class RebuildImageInput:
    """Without anything: the newest build, exactly."""

    build: strawberry.ID | None = strawberry.field(
        default=strawberry.UNSET, description="The newest build's record when left out."
    )
    pinned: bool = strawberry.field(
        default=True,
        description="False: take the branch, the tags of base images and the packages as they are "
        "today.",
    )


# The default of an argument, given as a GraphQL value: an instance would be written out with the
# defaults of its fields. Each request gets an instance of its own.
REBUILD_NEWEST = cast("RebuildImageInput", {})
