"""What mutations and subscriptions return: payloads, and unions of them with errors."""

from typing import Annotated

import strawberry

from schema.build import Build
from schema.errors import (
    ConflictError,
    ForbiddenError,
    NotFoundError,
    UnavailableError,
    ValidationError,
)
from schema.image import Image
from schema.tag import Tag


@strawberry.type(description="`build` is null for an image that was registered.")
class CreateImagePayload:
    """Of every way of creating, and of rebuilding."""

    image: Image = strawberry.field(description="The image, whose build may not have begun yet.")
    build: Build | None = strawberry.field(description="The build that was queued for it.")


@strawberry.type(description="The image after the change.")
class UpdateImagePayload:
    """Of `updateImage`."""

    image: Image = strawberry.field(description="The image as it is now.")


@strawberry.type(description="The image after the registry was looked at.")
class CheckImagePayload:
    """Of `checkImage`."""

    image: Image = strawberry.field(description="The image as it is now.")


@strawberry.type(description="What was removed.")
class DeleteImagePayload:
    """Of `deleteImage`."""

    id: strawberry.ID = strawberry.field(description="The id that the image had.")


@strawberry.type(description="The build after the request.")
class CancelBuildPayload:
    """Of `cancelBuild`."""

    build: Build = strawberry.field(
        description="The build as it is now: CANCELED, CANCELING while its worker stops, or over "
        "before the request came."
    )


@strawberry.type(description="The tag that was created.")
class CreateTagPayload:
    """Of `createTag`."""

    tag: Tag = strawberry.field(description="The tag.")


@strawberry.type(
    description="`image` is null once it is deleted, or no longer the viewer's to see."
)
class ImageChange:
    """What `imageChanged` yields."""

    id: strawberry.ID = strawberry.field(description="The id of the image that changed.")
    image: Image | None = strawberry.field(description="The image as it is now.")


CreateImageResult = Annotated[
    CreateImagePayload
    | ValidationError
    | ConflictError
    | NotFoundError
    | ForbiddenError
    | UnavailableError,
    strawberry.union("CreateImageResult", description="The image, or why there is none."),
]

UpdateImageResult = Annotated[
    UpdateImagePayload | ValidationError | NotFoundError | ForbiddenError | UnavailableError,
    strawberry.union("UpdateImageResult", description="The image, or why it did not change."),
]

CheckImageResult = Annotated[
    CheckImagePayload | NotFoundError | ForbiddenError | UnavailableError,
    strawberry.union("CheckImageResult", description="The image, or why nothing is known of it."),
]

DeleteImageResult = Annotated[
    DeleteImagePayload | NotFoundError | ForbiddenError | UnavailableError,
    strawberry.union("DeleteImageResult", description="The id, or why nothing was removed."),
]

CancelBuildResult = Annotated[
    CancelBuildPayload | NotFoundError | ForbiddenError | UnavailableError,
    strawberry.union("CancelBuildResult", description="The build, or why it was left alone."),
]

CreateTagResult = Annotated[
    CreateTagPayload | ValidationError | ForbiddenError | UnavailableError,
    strawberry.union("CreateTagResult", description="The tag, or why there is none."),
]
