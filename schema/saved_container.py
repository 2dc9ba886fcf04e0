"""The container that a build saved, as the cluster described it at the time."""

from collections.abc import Mapping
from typing import TYPE_CHECKING, Annotated, Any, Self

import strawberry

from schema.context import Info
from schema.enums import FileChange
from schema.field import field
from schema.scalars import JSON, BigInt
from schema.user import User

if TYPE_CHECKING:
    import models

AfterFile = Annotated[int, strawberry.argument(description="Leave out this many from the start.")]
MaxFiles = Annotated[int, strawberry.argument(description="At most so many, 10000 at most.")]
MOST_FILES = 10_000


@strawberry.type(description="Something that was mounted into a container: not in its image.")
class ContainerMount:
    """One entry of `container.mounts`."""

    path: str = strawberry.field(description="Where it was mounted.")
    volume: str = strawberry.field(
        description="What it was: `persistentVolumeClaim data`, `emptyDir`."
    )
    read_only: bool = strawberry.field(description="Whether the container could not write to it.")


@strawberry.type(description="A file that differs from the base image.")
class ChangedFile:
    """One line of the list."""

    path: str = strawberry.field(description="Its absolute path.")
    change: FileChange = strawberry.field(description="What happened to it.")
    size: BigInt | None = strawberry.field(
        description="Bytes of its content; null for what was deleted or not measured."
    )


@strawberry.type(description="The container that was saved, as it was then.")
class SavedContainer:
    """The JSON of `Build.container`."""

    row: strawberry.Private["models.Build"]
    namespace: str = strawberry.field(description="The pod's namespace.")
    pod: str = strawberry.field(description="The pod's name.")
    container: str = strawberry.field(description="The container's name within the pod.")
    node: str = strawberry.field(description="The machine that it ran on.")
    container_id: str = strawberry.field(
        description="The runtime's id of it: `containerd://…`; the prefix names the runtime."
    )
    image: str = strawberry.field(description="The image that it was started from.")
    paused: bool = strawberry.field(
        description="Whether it was paused while its files were read; if not, a file may have been "
        "caught half written."
    )
    saved_by: User = strawberry.field(description="Who saved it.")
    written_bytes: BigInt = strawberry.field(
        description="Bytes of the files that differ from the base image."
    )
    layer_size: BigInt = strawberry.field(
        description="Bytes of the layer that holds them, compressed."
    )
    changed_count: int = strawberry.field(
        description="How many files differ from the base image; the list may be shorter."
    )
    mounts: list[ContainerMount] = strawberry.field(
        description="What was mounted into it, and is therefore not in the image."
    )
    described: JSON = strawberry.field(
        description="The pod and the container as the cluster described them, without the values "
        "of secrets."
    )

    @classmethod
    def of(cls, row: "models.Build") -> Self | None:
        """The container on record; None for a build that saved none, or has not yet."""
        recorded: Mapping[str, Any] | None = row.container
        if not recorded:
            return None
        return cls(
            row=row,
            namespace=recorded["namespace"],
            pod=recorded["pod"],
            container=recorded["container"],
            node=recorded["node"],
            container_id=recorded["containerId"],
            image=recorded["image"],
            paused=recorded["paused"],
            saved_by=User.of(recorded["savedBy"]),
            written_bytes=BigInt(recorded["written"]),
            layer_size=BigInt(recorded["layerSize"]),
            changed_count=recorded["changes"],
            mounts=[
                ContainerMount(
                    path=mount["path"], volume=mount["volume"], read_only=mount["readOnly"]
                )
                for mount in recorded["mounts"]
            ],
            described=JSON(recorded["described"]),
        )

    @field("The files that differ from the base image, in the order of their paths.")
    async def changed_files(
        self, info: Info, after: AfterFile = 0, first: MaxFiles = 1000
    ) -> list[ChangedFile]:
        """From the blob store."""
        most = min(max(first, 0), MOST_FILES)
        return await info.context.reads.changed_files(self.row, max(after, 0), most)
