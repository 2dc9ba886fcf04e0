"""A step of a build."""

from datetime import datetime
from typing import Self

import strawberry

import models
from schema.enums import StepStatus


@strawberry.type(description="One step of a build, as the builder reports it.")
class BuildStep:
    """A row of `BuildStep`."""

    index: int = strawberry.field(
        description="1, 2, 3 … within its build; log chunks name their step by it."
    )
    name: str = strawberry.field(
        description="As the builder names it: `[2/5] RUN pip install -r requirements.txt`."
    )
    status: StepStatus = strawberry.field(description="Where it is.")
    started_at: datetime | None = strawberry.field(description="When it began.")
    finished_at: datetime | None = strawberry.field(description="When it ended.")
    error: str | None = strawberry.field(description="What the builder says went wrong.")

    @classmethod
    def of(cls, row: models.BuildStep) -> Self:
        """The step of this row."""
        return cls(
            index=row.index,
            name=row.name,
            status=row.status,
            started_at=row.started_at,
            finished_at=row.finished_at,
            error=row.error,
        )
