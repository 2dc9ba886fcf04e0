"""What differs between a build and the one that it repeats."""

import strawberry

from schema.enums import BuildInput


@strawberry.type(description="An input that differs between a build and the one that it repeats.")
class BuildDifference:
    """The engine compares the records; this is one line of the result."""

    input: BuildInput = strawberry.field(description="Which input.")
    name: str | None = strawberry.field(
        description="Which base image, as the Dockerfile names it; null for other inputs."
    )
    before: str | None = strawberry.field(
        description="What the repeated build had; null when it had none."
    )
    after: str | None = strawberry.field(description="What this one has; null when it has none.")
