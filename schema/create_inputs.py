"""What each way of creating an image takes."""

import strawberry

from schema.enums import Visibility
from schema.scalars import Upload


@strawberry.input
class CreateImageInput:
    """What all ways have in common; not an input of its own."""

    name: str = strawberry.field(
        description="Repository and tag as they are to stand in the registry: "
        "`/aihub/demo_api:0.1`. No other image has it."
    )
    visibility: Visibility = strawberry.field(
        default=Visibility.PRIVATE, description="Who may see the image."
    )
    tags: list[str] = strawberry.field(
        default_factory=list, description="Its tags, as `category/name`; all of them must exist."
    )
    description: str = strawberry.field(default="", description="What it is, for its readers.")


@strawberry.input
class PushedImageInput(CreateImageInput):
    """What all ways have in common that put an image into the registry; not an input of its own."""

    overwrite: bool = strawberry.field(
        default=False,
        description="Replace what the registry holds under this name without Darkroom knowing of "
        "it; the push policy may forbid that.",
    )


@strawberry.input(description="An image that is built from a git repository.")
class CreateImageFromGitInput(PushedImageInput):
    """The origin GIT."""

    url: str = strawberry.field(
        description="The project page's address as the browser shows it, or a clone URL."
    )
    ref: str = strawberry.field(description="A branch, a tag or a commit.")
    token_name: str | None = strawberry.field(
        default=strawberry.UNSET,
        description="What the user calls the access token. It is shown with the image.",
    )
    token: str | None = strawberry.field(
        default=strawberry.UNSET, description="Sealed at once, never returned, never logged."
    )
    dockerfile_path: str = strawberry.field(
        default="Dockerfile", description="The Dockerfile, within the repository."
    )
    context_path: str = strawberry.field(
        default="/",
        description="The folder of the repository that becomes the context; `/` is all of it.",
    )


@strawberry.input(description="An image that is built from a Dockerfile alone.")
class CreateImageFromDockerfileInput(PushedImageInput):
    """The origin DOCKERFILE."""

    dockerfile: str = strawberry.field(
        description="The Dockerfile's text. There is no context, so it can copy no local files."
    )


@strawberry.input(description="An image that is built from an uploaded file.")
class CreateImageFromUploadInput(PushedImageInput):
    """The origin UPLOAD."""

    file: Upload = strawberry.field(
        description="A Dockerfile, or an archive (tar, tar.gz, zip) of a whole context."
    )
    dockerfile_path: str = strawberry.field(default="Dockerfile", description="Within an archive.")


@strawberry.input(description="A record for an image that is in the registry already.")
class CreateImageFromExistingInput(CreateImageInput):
    """The origin EXISTING."""


@strawberry.input(description="An image of the viewer's own running training task.")
class CreateImageFromTrainingTaskInput(PushedImageInput):
    """The origin TRAINING_TASK."""

    task: strawberry.ID = strawberry.field(description="The `TrainingTask.id`.")
    pod: str = strawberry.field(description="One of the task's pods.")
    container: str | None = strawberry.field(
        default=strawberry.UNSET, description="The task's main container when left out."
    )
    pause: bool = strawberry.field(
        default=True,
        description="Stop the container's processes for the moment of saving, so that no file is "
        "caught half written.",
    )


@strawberry.input(description="An image of any running container of the cluster.")
class CreateImageFromContainerInput(PushedImageInput):
    """The origin CONTAINER."""

    namespace: str = strawberry.field(description="The pod's namespace in the cluster.")
    pod: str = strawberry.field(description="The pod's name.")
    container: str = strawberry.field(description="The container's name within the pod.")
    pause: bool = strawberry.field(
        default=True,
        description="Stop the container's processes for the moment of saving, so that no file is "
        "caught half written.",
    )
