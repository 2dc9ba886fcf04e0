"""What the user entered for each way of creating an image."""

from dataclasses import fields
from typing import Annotated, Any, cast

import strawberry
from strawberry.utils.str_converters import to_camel_case

from schema.enums import Origin
from schema.scalars import BigInt


@strawberry.type(description="A git repository at one branch, tag or commit.")
class GitSource:
    """The origin GIT."""

    url: str = strawberry.field(description="The repository's address as it was entered.")
    ref: str = strawberry.field(
        description="The branch, tag or commit; `Build.commit` says what it was at the time."
    )
    dockerfile_path: str = strawberry.field(description="The Dockerfile, within the repository.")
    context_path: str = strawberry.field(
        description="The folder of the repository that is the build's context; `/` is all of it."
    )
    token_name: str | None = strawberry.field(
        description="What the user calls the access token. The token itself is never returned."
    )


@strawberry.type(description="A Dockerfile that was typed in, built without any other file.")
class DockerfileSource:
    """The origin DOCKERFILE."""

    dockerfile: str = strawberry.field(description="The text as it was entered.")


@strawberry.type(description="An uploaded Dockerfile, or an archive of a whole context.")
class UploadSource:
    """The origin UPLOAD."""

    filename: str = strawberry.field(description="The client's name for the file.")
    size: BigInt = strawberry.field(description="The file's size in bytes.")
    sha256: str = strawberry.field(description="The file's SHA-256 in hexadecimal digits.")
    dockerfile_path: str = strawberry.field(description="The Dockerfile, within an archive.")


@strawberry.type(description="An image that was in the registry already.")
class ExistingSource:
    """The origin EXISTING."""

    reference: str = strawberry.field(description="The image with its registry.")


@strawberry.type(description="A container of a training task, saved while it ran.")
class TrainingTaskSource:
    """The origin TRAINING_TASK."""

    task: str = strawberry.field(description="The training task's name.")
    namespace: str = strawberry.field(description="The task's namespace in the cluster.")
    pod: str = strawberry.field(description="The pod that was saved from.")
    container: str = strawberry.field(description="The container within the pod.")


@strawberry.type(description="Any container of the cluster, saved while it ran.")
class ContainerSource:
    """The origin CONTAINER."""

    namespace: str = strawberry.field(description="The pod's namespace in the cluster.")
    pod: str = strawberry.field(description="The pod that was saved from.")
    container: str = strawberry.field(description="The container within the pod.")


ImageSource = Annotated[
    GitSource
    | DockerfileSource
    | UploadSource
    | ExistingSource
    | TrainingTaskSource
    | ContainerSource,
    strawberry.union(
        "ImageSource", description="What the user entered; which type it is follows the origin."
    ),
]

_KINDS: dict[Origin, type[Any]] = {
    Origin.GIT: GitSource,
    Origin.DOCKERFILE: DockerfileSource,
    Origin.UPLOAD: UploadSource,
    Origin.EXISTING: ExistingSource,
    Origin.TRAINING_TASK: TrainingTaskSource,
    Origin.CONTAINER: ContainerSource,
}


def source_of(origin: Origin, entered: dict[str, Any]) -> ImageSource:
    """The source of a record, whose keys are the fields' names as the API spells them.

    Only what the schema declares is taken, so nothing that is stored beside it can leak.
    """
    kind = _KINDS[origin]
    values = {field.name: entered.get(to_camel_case(field.name)) for field in fields(kind)}
    return cast("ImageSource", kind(**values))
