"""What runs in the cluster, as it answers at the moment; nothing of it is on record."""

from datetime import datetime

import strawberry


@strawberry.type(description="A container of a pod.")
class Container:
    """From the pod's status."""

    name: str = strawberry.field(description="The name, unique within its pod.")
    image: str = strawberry.field(description="The image that it was started from.")
    running: bool = strawberry.field(description="Whether it runs now; only then can it be saved.")


@strawberry.type(description="A pod of a training task.")
class Pod:
    """From the cluster."""

    name: str = strawberry.field(description="The name, unique within its namespace.")
    node: str | None = strawberry.field(
        description="The machine that it runs on; null while it waits for one."
    )
    containers: list[Container] = strawberry.field(
        description="Its containers, in the order of its specification."
    )


@strawberry.type(description="A training task that is running now.")
class TrainingTask:
    """From the cluster."""

    id: strawberry.ID = strawberry.field(
        description="Names the task in `createImageFromTrainingTask`."
    )
    name: str = strawberry.field(description="The name, unique within its namespace and kind.")
    kind: str = strawberry.field(description="The kind of its resource: `PyTorchJob`.")
    namespace: str = strawberry.field(description="Its namespace in the cluster.")
    created_at: datetime = strawberry.field(description="When it was created.")
    pods: list[Pod] = strawberry.field(description="Its pods by name.")
