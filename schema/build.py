"""A build, from its request to its result."""

from datetime import datetime
from typing import TYPE_CHECKING, Annotated, Self

import strawberry

import models
from schema import ids
from schema.build_difference import BuildDifference
from schema.build_failure import BuildFailure
from schema.build_record import BaseImage, BuildEnvironment, GitCommit, reproducible
from schema.build_step import BuildStep
from schema.context import Info
from schema.enums import BuildStatus
from schema.field import field
from schema.log import AfterLine, BuildLogPage, MaxLines
from schema.node import Node
from schema.saved_container import SavedContainer
from schema.scalars import JSON, BigInt
from schema.user import User

if TYPE_CHECKING:
    from schema.image import Image


@strawberry.type(description="One making of an image: its inputs, its steps, its log, its result.")
class Build(Node):
    """A row of `Build`. Attributes are what the row says; methods read more."""

    row: strawberry.Private[models.Build]
    number: int = strawberry.field(description="1, 2, 3 … within its image.")
    status: BuildStatus = strawberry.field(description="Where it is on its way.")
    attempt: int = strawberry.field(
        description="Which try this is: failures of the system are retried. 0 before the first."
    )
    failure: BuildFailure | None = strawberry.field(description="Why it failed, if it did.")
    created_by: User = strawberry.field(description="Who asked for it.")
    created_at: datetime = strawberry.field(description="When it was asked for.")
    started_at: datetime | None = strawberry.field(description="When a worker first took it.")
    finished_at: datetime | None = strawberry.field(description="When it reached its final status.")
    dockerfile: str | None = strawberry.field(
        description="Archived exactly as it was built, also when the build failed."
    )
    dockerfile_path: str | None = strawberry.field(
        description="Where the Dockerfile stood in the context."
    )
    context_digest: str | None = strawberry.field(
        description="The digest of the archived context: `sha256:…` of the uncompressed tar."
    )
    context_size: BigInt | None = strawberry.field(
        description="The archived context's size in bytes, uncompressed."
    )
    commit: GitCommit | None = strawberry.field(description="The commit that a git build used.")
    bases: list[BaseImage] = strawberry.field(
        description="Every base image with the digest that it had."
    )
    engine: BuildEnvironment | None = strawberry.field(
        description="What built it; null until a worker has begun."
    )
    reproducible: bool | None = strawberry.field(
        description="Whether its engine can make the same digest from the same inputs again, as "
        "those with the containerd image store can; null until a worker has begun."
    )
    container: SavedContainer | None = strawberry.field(
        description="The running container that it saved; null for every other origin, and until "
        "it was saved."
    )
    digest: str | None = strawberry.field(
        description="The manifest's digest in the registry: `sha256:…`."
    )
    size: BigInt | None = strawberry.field(
        description="The sum of the compressed layers, as the registry holds them."
    )
    platform: str | None = strawberry.field(
        description="Operating system and architecture of the result: `linux/amd64`."
    )

    @classmethod
    def of(cls, row: models.Build) -> Self:
        """The build of this row."""
        return cls(
            row=row,
            id=ids.encode("Build", row.id),
            number=row.number,
            status=row.status,
            attempt=row.attempt,
            failure=BuildFailure.of(row),
            created_by=User.of(row.created_by),
            created_at=row.created_at,
            started_at=row.started_at,
            finished_at=row.finished_at,
            dockerfile=row.dockerfile,
            dockerfile_path=row.dockerfile_path,
            context_digest=row.context_digest,
            context_size=None if row.context_size is None else BigInt(row.context_size),
            commit=GitCommit.of(row.commit),
            bases=[BaseImage.of(base) for base in row.bases],
            engine=BuildEnvironment.of(row.environment),
            reproducible=reproducible(row.environment),
            container=SavedContainer.of(row),
            digest=row.digest,
            size=None if row.size is None else BigInt(row.size),
            platform=row.platform,
        )

    @field("The image that it makes.")
    async def image(self, info: Info) -> Annotated["Image", strawberry.lazy("schema.image")]:
        """Lazy, for images have builds in turn."""
        return await info.context.reads.image_of(self.row)

    @field("Its steps, in the order in which the builder announced them.")
    async def steps(self, info: Info) -> list[BuildStep]:
        """Read for all builds of a page at once."""
        return [BuildStep.of(row) for row in await info.context.reads.build_steps(self.row)]

    @field(
        "Its place among the builds that wait, 1 for the next; null once it runs. The next one is "
        "from whoever has the fewest running, so the place may also grow."
    )
    async def queue_position(self, info: Info) -> int | None:
        """Reckoned for all builds of a page at once."""
        return await info.context.reads.queue_position(self.row)

    @field("How many lines its log has so far.")
    async def line_count(self, info: Info) -> int:
        """Grows while it runs."""
        return await info.context.reads.line_count(self.row)

    @field("The log, page by page. To follow it live, subscribe to `buildLog`.")
    async def log(
        self, info: Info, after: AfterLine = 0, max_lines: MaxLines = 1000
    ) -> BuildLogPage:
        """One page of it."""
        return await info.context.reads.build_log(self.row, after, max_lines)

    @field("Where the whole log is downloaded: plain text, `Range` honoured, `?follow=1` streams.")
    def log_url(self, info: Info) -> str:
        """Depends on how the client reached the service."""
        return info.context.reads.log_url(self.row)

    @field("The build whose record this one repeats.")
    async def rebuild_of(self, info: Info) -> "Build | None":
        """None for a build of its own, and for one whose original is gone."""
        if self.row.rebuild_of_id is None:
            return None
        original = await info.context.reads.build(self.row.rebuild_of_id)
        return Build.of(original) if original else None

    @field(
        "What is known to differ between the inputs of that build and of this one; empty for a "
        "build that repeats none."
    )
    async def differences(self, info: Info) -> list[BuildDifference]:
        """Grows while this build resolves its inputs."""
        return await info.context.reads.build_differences(self.row)

    @field(
        "The whole record: request, resolved inputs, environment, timings and result, content by "
        "digest. `docs/record.schema.json` describes it."
    )
    async def record(self, info: Info) -> JSON:
        """As it stands now."""
        return JSON(await info.context.reads.build_record(self.row))
