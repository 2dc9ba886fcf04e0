"""Why a build failed."""

from typing import cast

import strawberry

import models
from schema.enums import Blame, FailureCode


@strawberry.type(description="Why a build failed, and whose turn it is.")
class BuildFailure:
    """The failure that a row of `Build` holds."""

    code: FailureCode = strawberry.field(description="The reason, for programs.")
    message: str = strawberry.field(description="The reason and the remedy, for people.")
    step: int | None = strawberry.field(
        description="The `index` of the step that failed, where one did."
    )
    blame: Blame = strawberry.field(description="Whether another try with the same input can help.")

    @classmethod
    def of(cls, row: models.Build) -> "BuildFailure | None":
        """The failure of this build, or None when it has not failed."""
        # Tortoise types an enum field as one that is never null.
        code = cast("FailureCode | None", row.failure_code)
        if code is None:
            return None
        return cls(
            code=code,
            message=row.failure_message or "",
            step=row.failure_step,
            blame=code.blame,
        )
