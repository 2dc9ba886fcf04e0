"""What a saving Job reports: lines of its output.

A line that begins with RS is an event in JSON, as in JSON text sequences (RFC 7464); every other
line is for people, and belongs to the phase that runs.
"""

import json
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum
from typing import Any

from models.enums import FailureCode, FileChange, StepStatus

RS = "\x1e"


class Phase(StrEnum):
    """What saving consists of, in order; the names are what people read."""

    LOCATE = "Locate the container"
    CHECK = "Check what can be checked"
    PAUSE = "Pause the container"
    COMMIT = "Read what the container wrote"
    RESUME = "Let the container go on"
    PUSH = "Push the image"
    RECORD = "Record what was saved"


@dataclass(frozen=True, slots=True)
class Change:
    """One file that differs from the base image."""

    path: str
    kind: FileChange
    size: int | None
    """Bytes of its content now; None for what is gone, and where it was not measured."""


@dataclass(frozen=True, slots=True)
class PhaseChanged:
    """A phase began or ended."""

    phase: Phase
    status: StepStatus
    time: datetime
    error: str | None = None


@dataclass(frozen=True, slots=True)
class FilesChanged:
    """Some of the files that differ from the base image."""

    changes: tuple[Change, ...]


@dataclass(frozen=True, slots=True)
class Made:
    """The image exists, and is about to be pushed."""

    image_id: str
    """The digest of its config."""


@dataclass(frozen=True, slots=True)
class Saved:
    """The image is in the registry, under its tag."""

    digest: str
    runtime_name: str
    runtime_version: str
    base_digest: str | None
    written: int
    """Bytes that the container wrote, before compression."""
    layer_size: int
    """Bytes of the new layer as the registry holds it."""
    changes: int
    """How many files differ; not all of them need have been reported."""


@dataclass(frozen=True, slots=True)
class Failed:
    """It could not be done."""

    code: FailureCode
    message: str


@dataclass(frozen=True, slots=True)
class Clean:
    """The container is as it was, and nothing of the saving is left on the node; comes last."""


Event = PhaseChanged | FilesChanged | Made | Saved | Failed | Clean


def encode(event: Event) -> str:
    """The event's line, without its newline."""
    return RS + json.dumps(_fields(event), ensure_ascii=False, separators=(",", ":"))


def decode(line: str) -> Event | None:
    """The event of a line; None for text, and for what another version means."""
    if not line.startswith(RS):
        return None
    try:
        found = json.loads(line[1:])
        return _DECODERS[found.pop("event")](found)
    except (ValueError, KeyError, TypeError, AttributeError):
        return None


def _fields(event: Event) -> dict[str, Any]:
    match event:
        case PhaseChanged(phase, status, time, error):
            fields = {"phase": phase.name, "status": status, "time": time.isoformat()}
            return {"event": "phase", **fields, "error": error}
        case FilesChanged(changes):
            rows = [[change.kind[0], change.size, change.path] for change in changes]
            return {"event": "files", "changes": rows}
        case Made(image_id):
            return {"event": "made", "image_id": image_id}
        case Saved():
            values = {name: getattr(event, name) for name in Saved.__dataclass_fields__}
            return {"event": "saved", **values}
        case Failed(code, message):
            return {"event": "failed", "code": code, "message": message}
        case Clean():
            return {"event": "clean"}


def _phase(found: dict[str, Any]) -> PhaseChanged:
    time = datetime.fromisoformat(found["time"])
    return PhaseChanged(Phase[found["phase"]], StepStatus(found["status"]), time, found["error"])


def _files(found: dict[str, Any]) -> FilesChanged:
    return FilesChanged(tuple(_change(row) for row in found["changes"]))


def _change(row: Sequence[Any]) -> Change:
    kinds = {kind[0]: kind for kind in FileChange}
    return Change(str(row[2]), kinds[row[0]], row[1])


_DECODERS: dict[str, Callable[[dict[str, Any]], Event]] = {
    "phase": _phase,
    "files": _files,
    "made": lambda found: Made(str(found["image_id"])),
    "saved": lambda found: Saved(**found),
    "failed": lambda found: Failed(FailureCode(found["code"]), str(found["message"])),
    "clean": lambda _: Clean(),
}
