"""The shared words as GraphQL enums, with a description of every value."""

from enum import Enum, StrEnum
from typing import Any

import strawberry

from models.enums import (
    Blame,
    BuildInput,
    BuildStatus,
    FailureCode,
    FileChange,
    ImageStatus,
    Origin,
    RegistryState,
    StepStatus,
    Visibility,
)

__all__ = [
    "Blame",
    "BuildInput",
    "BuildStatus",
    "Direction",
    "FailureCode",
    "FileChange",
    "ImageOrderField",
    "ImageStatus",
    "Origin",
    "RegistryState",
    "StepStatus",
    "Visibility",
]


class ImageOrderField(StrEnum):
    """What a list of images is ordered by."""

    CREATED_AT = "CREATED_AT"
    UPDATED_AT = "UPDATED_AT"
    NAME = "NAME"
    SIZE = "SIZE"


class Direction(StrEnum):
    """Which end of an order comes first."""

    ASC = "ASC"
    DESC = "DESC"


def _describe(enum: type[Enum], description: str, **values: str) -> None:
    """Make an enum of the models one of the schema; every value must be described.

    The models' enums know nothing of GraphQL, so their descriptions are put beside them here.
    """
    strawberry.enum(enum, description=description)
    definition: Any = vars(enum)["__strawberry_definition__"]
    for value in definition.values:
        value.description = values.pop(value.name)
    if values:
        raise TypeError(f"{enum.__name__} has no {', '.join(values)}")


_describe(
    Visibility,
    "Who may see an image.",
    PRIVATE="Hidden from other users.",
    PUBLIC="Everybody who may use Darkroom.",
)
_describe(
    Origin,
    "The way in which an image was created.",
    GIT="Built from a git repository.",
    DOCKERFILE="Built from a Dockerfile that was typed in.",
    UPLOAD="Built from an uploaded Dockerfile or archive.",
    EXISTING="Registered: it was in the registry already.",
    TRAINING_TASK="Saved from a running training task.",
    CONTAINER="Saved from any running container of the cluster.",
)
_describe(
    RegistryState,
    "What became of the image in the registry since its digest went on record.",
    UNCHECKED="Nobody has looked yet.",
    PRESENT="The tag is what is on record.",
    MOVED="The tag is another image now; `registryDigest` says which.",
    GONE="The registry has no such tag any more.",
)
_describe(
    ImageStatus,
    "Follows the newest build; READY once an image is in the registry and nothing newer is "
    "under way.",
    QUEUED="The newest build waits for a worker.",
    BUILDING="The newest build is under way.",
    READY="The image is in the registry.",
    FAILED="The newest build failed; its `failure` says why.",
    CANCELED="The newest build was canceled.",
)
_describe(
    BuildStatus,
    "Where a build is on its way. SUCCEEDED, FAILED and CANCELED are final.",
    QUEUED="It waits for a worker, the first time or for another try.",
    PREPARING="Source, context and base images are being fetched.",
    BUILDING="The engine is at work on the steps.",
    PUSHING="The image is on its way to the registry.",
    SUCCEEDED="The image is in the registry.",
    FAILED="It ended without an image; `failure` says why.",
    CANCELING="A cancel was asked for; the worker is stopping.",
    CANCELED="It was stopped on request.",
)
_describe(
    BuildInput,
    "What goes into a build, and may differ when it is made again.",
    COMMIT="The commit of a git repository, by its sha.",
    CONTEXT="The archived context, by its digest.",
    DOCKERFILE="The Dockerfile's text, by its digest.",
    DOCKERFILE_PATH="Where the Dockerfile stands in the context.",
    BASE="A base image, by the digest that its reference had.",
    ENGINE="The container engine, its version, its builder and its image store.",
    DARKROOM="Darkroom's own version.",
)
_describe(
    StepStatus,
    "Where one step of a build is.",
    PENDING="It has not begun.",
    RUNNING="It is being carried out.",
    DONE="It was carried out.",
    CACHED="Its result was taken from the cache.",
    FAILED="It ended with an error.",
    CANCELED="The build ended before the step did.",
)
_describe(
    FileChange,
    "What happened to a file of a container since its image.",
    ADDED="The image does not have it.",
    CHANGED="The image has it with another content or other attributes.",
    DELETED="The image has it, and the container removed it.",
)
_describe(
    Blame,
    "USER: the same input fails again. SYSTEM: retried by itself, and worth another try.",
    USER="Something that was entered has to change first.",
    SYSTEM="Nothing that was entered is wrong.",
)
_describe(
    FailureCode,
    "Why a build failed. Programs decide by it; people read the message.",
    GIT_AUTH="The repository asks for a token, or does not take the one that was given.",
    GIT_NOT_FOUND="There is no repository at this address, or the token may not see it.",
    GIT_REF_NOT_FOUND="The repository has no such branch, tag or commit.",
    GIT_UNREACHABLE="The git server did not answer.",
    DOCKERFILE_NOT_FOUND="The context has no Dockerfile at the given path.",
    DOCKERFILE_INVALID="The Dockerfile cannot be parsed.",
    CONTEXT_INVALID="The context is unusable: a broken archive, or a path that leads out of it.",
    CONTEXT_TOO_LARGE="The context is larger than this service takes.",
    BASE_NOT_FOUND="A base image does not exist.",
    BASE_DENIED="A base image may not be pulled with the registry's credentials.",
    STEP_FAILED="A step of the Dockerfile ended with an error.",
    TIMEOUT="The build took longer than it may.",
    LOG_TOO_LARGE="The build wrote more log than is kept.",
    CONTAINER_NOT_FOUND="There is no such container any more.",
    CONTAINER_NOT_RUNNING="The container does not run, so there is nothing to save.",
    CONTAINER_DENIED="The cluster does not let this user into the container.",
    CONTAINER_TOO_LARGE="The container has written more than may be saved.",
    COMMIT_FAILED="The container's file system could not be saved.",
    PUSH_DENIED="The registry refused the image.",
    REGISTRY_UNREACHABLE="The registry did not answer.",
    ENGINE_UNREACHABLE="The container engine did not answer.",
    WORKER_LOST="The worker vanished during the build.",
    QUEUED_TOO_LONG="No worker was free for the build within the time that builds may wait.",
    INTERNAL="A fault of Darkroom itself; the operators' log has the details.",
)
_describe(
    ImageOrderField,
    "What a list of images is ordered by.",
    CREATED_AT="When the record was made.",
    UPDATED_AT="When the record, or its newest build, last changed.",
    NAME="The name, character by character.",
    SIZE="The compressed size; images that have none yet count as smallest.",
)
_describe(
    Direction,
    "Which end of an order comes first.",
    ASC="Smallest, oldest or first in the alphabet first.",
    DESC="Largest, newest or last in the alphabet first.",
)
