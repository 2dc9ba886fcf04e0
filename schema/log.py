"""A build's log, as pages and as events. Lines are numbered from 1 in the whole log."""

from datetime import datetime
from typing import Annotated

import strawberry

from schema.enums import BuildStatus

AfterLine = Annotated[
    int, strawberry.argument(description="The line behind which to begin; 0 is the start.")
]
MaxLines = Annotated[
    int, strawberry.argument(description="At most this many lines; the service may return fewer.")
]


@strawberry.type(
    description="Consecutive lines of one step. Lines are numbered from 1 in the whole log; "
    "`cursor` is the last one's number."
)
class BuildLogChunk:
    """Lines travel together: a message for each would cost far more than the text."""

    first_line: int = strawberry.field(description="The number of the first line.")
    cursor: int = strawberry.field(
        description="The number of the last line; give it as `after` to continue behind it."
    )
    step: int | None = strawberry.field(
        description="The `index` of the step that wrote it; null for Darkroom's own words."
    )
    time: datetime = strawberry.field(description="When it was written.")
    text: str = strawberry.field(description="The lines, separated by line feeds.")


@strawberry.type(
    description="Lines after `after`, up to `endCursor`; ask again with it. `complete` once the "
    "build is over and nothing is left."
)
class BuildLogPage:
    """What one read of a log finds."""

    chunks: list[BuildLogChunk] = strawberry.field(description="The lines, in their order.")
    end_cursor: int = strawberry.field(
        description="The number of the last line on this page, or `after` when there is none."
    )
    complete: bool = strawberry.field(
        description="Whether the build is over and this page reaches the end of its log."
    )


@strawberry.type(description="The end of a log: the build is over, and every line has been sent.")
class BuildLogEnd:
    """Sent once, last."""

    cursor: int = strawberry.field(description="The number of the log's last line.")
    status: BuildStatus = strawberry.field(description="How the build ended.")


BuildLogEvent = Annotated[
    BuildLogChunk | BuildLogEnd,
    strawberry.union("BuildLogEvent", description="What following a log yields."),
]
