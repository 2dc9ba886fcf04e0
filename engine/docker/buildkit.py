"""BuildKit's progress: protobuf messages of vertices, transfers and output, read as events."""

import base64
from collections.abc import Iterator
from datetime import UTC, datetime

from google.protobuf.timestamp_pb2 import Timestamp

from engine.docker.events import BuildEvent, ImageBuilt, StepChanged, StepOutput
from engine.docker.progress import Throttle, amount
from engine.docker.protos.status_pb2 import StatusResponse, Vertex, VertexLog, VertexStatus
from engine.docker.steps import Steps
from engine.docker.stream import Message
from engine.docker.wording import readable
from models.enums import StepStatus

CLIPPED = b"[output clipped, log limit"
HOW_TO_KEEP_ALL = (
    b"[This engine cuts long output. To keep all of it, start the engine with "
    b"BUILDKIT_STEP_LOG_MAX_SIZE=2147483647 and BUILDKIT_STEP_LOG_MAX_SPEED=2147483647 "
    b"in its environment.]\n"
)
# An engine that reports nothing so often in a row will not report anything else any more.
_SILENT = 1000


class BuildKitProgress:
    """Reads one build's messages in their order."""

    def __init__(self) -> None:
        self.steps = Steps()
        self._image_id: str | None = None
        self._clipped: set[str] = set()
        self._transfers: dict[str, Throttle] = {}
        self._told: set[tuple[str, str]] = set()
        self._silent = 0  # reports of nothing in a row

    def read(self, message: Message) -> list[BuildEvent]:
        """The events in one message of the engine's answer."""
        match message.get("id"):
            case "moby.buildkit.trace":
                return self._trace(StatusResponse.FromString(base64.b64decode(message["aux"])))
            case "moby.image.id":
                self._image_id = message["aux"]["ID"]
                return []
            case _:
                # `Successfully tagged …`, which the pipeline says in its own words.
                return []

    def end(self) -> list[BuildEvent]:
        """The answer is over and had no error; the id came before the image had its name."""
        return [ImageBuilt(self._image_id)] if self._image_id else []

    def fail(self, reason: str) -> list[StepChanged]:
        """Nothing to add: the vertex that failed has said so itself."""
        return []

    def stuck(self) -> bool:
        """Whether the engine goes on for ever without reporting anything.

        Docker Engine 20.10 does once 1 MiB of a build's output has piled up in it.
        """
        return self._silent >= _SILENT

    def _trace(self, status: StatusResponse) -> list[BuildEvent]:
        nothing = not (status.vertexes or status.statuses or status.logs)
        self._silent = self._silent + 1 if nothing else 0
        events: list[BuildEvent] = []
        for vertex in (*self._new(status), *status.vertexes):
            events += self._vertex(vertex)
        for transfer in status.statuses:
            events += self._transfer(transfer)
        for log in status.logs:
            events += self._log(log)
        return events

    def _new(self, status: StatusResponse) -> Iterator[Vertex]:
        """Vertices of a message that are numbered now: what a step needs comes before it."""
        new: dict[str, Vertex] = {}
        for vertex in status.vertexes:
            if self.steps.index(vertex.digest) is None:
                new.setdefault(vertex.digest, vertex)
        while new:
            yield from _with_inputs(next(iter(new)), new)

    def _vertex(self, vertex: Vertex) -> list[StepChanged]:
        return self.steps.update(
            vertex.digest,
            _name(vertex.name),
            _status(vertex),
            _time(vertex.started) if vertex.HasField("started") else None,
            _time(vertex.completed) if vertex.HasField("completed") else None,
            readable(vertex.error) or None,
        )

    def _log(self, log: VertexLog) -> list[StepOutput]:
        step, time = self.steps.index(log.vertex), _time(log.timestamp)
        output = [StepOutput(step, time, log.msg, log.stream)]
        if CLIPPED in log.msg and log.vertex not in self._clipped:
            self._clipped.add(log.vertex)
            output.append(StepOutput(step, time, HOW_TO_KEEP_ALL, log.stream))
        return output

    def _transfer(self, status: VertexStatus) -> list[StepOutput]:
        done = status.HasField("completed")
        if done and (status.vertex, status.ID) in self._told:
            return []
        if done:
            self._told.add((status.vertex, status.ID))
        elif not self._transfers.setdefault(status.vertex, Throttle())():
            return []
        line = f"{status.ID}{_progress(status)}{' done' if done else ''}\n"
        step, time = self.steps.index(status.vertex), _time(status.timestamp)
        return [StepOutput(step, time, line.encode())]


def _with_inputs(digest: str, left: dict[str, Vertex]) -> Iterator[Vertex]:
    """A vertex after those of its inputs that are left; all of them are taken out of `left`."""
    vertex = left.pop(digest)
    for needed in vertex.inputs:
        if needed in left:
            yield from _with_inputs(needed, left)
    yield vertex


def _name(name: str) -> str:
    # dockerd unpacks an uploaded context in a vertex of its own, and forgets to call it internal.
    return "[internal] unpack build context" if name == "copy /context /" else name


def _status(vertex: Vertex) -> StepStatus:
    if vertex.error:
        # Steps that ran beside the one that failed end with this.
        canceled = "context canceled" in vertex.error
        return StepStatus.CANCELED if canceled else StepStatus.FAILED
    if vertex.HasField("completed"):
        return StepStatus.CACHED if vertex.cached else StepStatus.DONE
    return StepStatus.RUNNING if vertex.HasField("started") else StepStatus.PENDING


def _progress(status: VertexStatus) -> str:
    if not status.total:
        return f" {amount(status.current)}" if status.current else ""
    if status.current >= status.total:
        return f" {amount(status.total)}"
    return f" {amount(status.current)} of {amount(status.total)}"


def _time(timestamp: Timestamp) -> datetime:
    return timestamp.ToDatetime(UTC)
