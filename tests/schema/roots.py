"""A throw-away schema: roots that do nothing but reach every noun."""

from typing import Annotated, cast

import strawberry
from strawberry.schema.config import StrawberryConfig

import models
from schema.cluster import TrainingTask
from schema.context import Info
from schema.create_inputs import (
    CreateImageFromContainerInput,
    CreateImageFromDockerfileInput,
    CreateImageFromExistingInput,
    CreateImageFromGitInput,
    CreateImageFromTrainingTaskInput,
    CreateImageFromUploadInput,
)
from schema.errors import ConflictError, ValidationError
from schema.field import field
from schema.image import Image
from schema.image_connection import ImageConnection
from schema.inputs import (
    REBUILD_NEWEST,
    ImageFilter,
    ImageOrder,
    RebuildImageInput,
    UpdateImageInput,
)
from schema.log import BuildLogEvent
from schema.node import Node
from schema.page import Page
from schema.results import (
    CancelBuildResult,
    CreateImageResult,
    CreateTagResult,
    DeleteImageResult,
    ImageChange,
    UpdateImageResult,
)
from schema.scalars import SCALARS
from tests.schema.memory import Memory

Input = strawberry.argument(name="input", description="Returned as text.")

Unused = strawberry.argument(description="Does nothing.")


@strawberry.type(description="Every noun, once.")
class Query:
    given: strawberry.Private[models.Image]

    @field("The image that the test gave.")
    def image(self) -> Image:
        return Image.of(self.given)

    @field("The same by its interface.")
    def node(self) -> Node | None:
        return Image.of(self.given)

    @field("A list of that one.")
    def images(
        self,
        info: Info,
        filter_: Annotated[
            ImageFilter | None, strawberry.argument(name="filter", description="Does nothing.")
        ] = strawberry.UNSET,
        order_by: Annotated[
            ImageOrder | None, strawberry.argument(description="Does nothing.")
        ] = strawberry.UNSET,
    ) -> ImageConnection:
        page = Page([self.given], lambda row: f"at {row.id}", has_next=True, has_previous=False)
        return ImageConnection.of(page, cast("Memory", info.context.reads))

    @field("A conflict with that one.")
    def conflict(self) -> CreateImageResult:
        return ConflictError(message="taken", image=Image.of(self.given))

    @field("Nothing usable.")
    def invalid(self) -> CreateTagResult:
        return ValidationError(message="wrong", fields=[])

    @field("The input as text.")
    def update(self, given: Annotated[UpdateImageInput, Input]) -> str:
        return repr(given)

    @field("The input as text.")
    def rebuild(self, given: Annotated[RebuildImageInput, Input] = REBUILD_NEWEST) -> str:
        return repr(given)

    @field("The file's first bytes.")
    async def upload(self, given: Annotated[CreateImageFromUploadInput, Input]) -> str:
        return f"{given.file.filename}: {(await given.file.read(5)).decode()}"

    @field("The git input as text.")
    def git(self, given: Annotated[CreateImageFromGitInput, Input]) -> str:
        return repr(given)

    @field("Reaches what is not asked for above.")
    def rest(
        self,
        info: Info,
        dockerfile: Annotated[CreateImageFromDockerfileInput | None, Unused] = None,
        existing: Annotated[CreateImageFromExistingInput | None, Unused] = None,
        task: Annotated[CreateImageFromTrainingTaskInput | None, Unused] = None,
        container: Annotated[CreateImageFromContainerInput | None, Unused] = None,
    ) -> "Rest | None":
        return None


@strawberry.type(description="Nouns that only mutations, subscriptions and the cluster yield.")
class Rest:
    tasks: list[TrainingTask] = strawberry.field(description="Cluster.")
    event: BuildLogEvent = strawberry.field(description="Log.")
    change: ImageChange = strawberry.field(description="Image.")
    updated: UpdateImageResult = strawberry.field(description="Image.")
    deleted: DeleteImageResult = strawberry.field(description="Image.")
    canceled: CancelBuildResult = strawberry.field(description="Build.")


schema = strawberry.Schema(Query, config=StrawberryConfig(scalar_map=SCALARS))
