"""What a build reports while it runs, whichever builder runs it."""

from dataclasses import dataclass
from datetime import datetime

from models.enums import StepStatus


@dataclass(frozen=True, slots=True)
class StepChanged:
    """A step as it stands now; sent when it is first seen, and whenever something changed.

    `index` counts from 1 in the order of first appearance, and stays. Names that begin with
    `[internal]` are the builder's own work, not a line of the Dockerfile.
    """

    index: int
    name: str
    status: StepStatus
    started_at: datetime | None = None
    finished_at: datetime | None = None
    error: str | None = None


@dataclass(frozen=True, slots=True)
class StepOutput:
    """A piece of what a step printed, as it came: it may begin or end within a line.

    `step` is None for what the builder itself says about the whole build. Lines are whole within
    one `stream` of a step alone: 1 is its standard output, 2 its standard error.
    """

    step: int | None
    time: datetime
    data: bytes
    stream: int = 1


@dataclass(frozen=True, slots=True)
class ImageBuilt:
    """The image exists on the engine: its id there (`sha256:…`), which is not a registry digest."""

    image_id: str


BuildEvent = StepChanged | StepOutput | ImageBuilt
