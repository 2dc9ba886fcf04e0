"""The classic builder's progress, as dockerd and Podman print it, read as events.

It is text for people: `Step 2/5 : RUN make` (dockerd) or `[1/2] STEP 2/5: RUN make` (Podman), then
whatever the step prints. A command can print the same, so a line counts as a step only where the
next one is due.
"""

import re

from engine.clock import now
from engine.docker.events import BuildEvent, ImageBuilt, StepChanged, StepOutput
from engine.docker.steps import Steps
from engine.docker.stream import Message
from models.enums import StepStatus

_STEP = re.compile(
    r"(?:\[(?P<stage>\d+)/\d+\] )?(?:Step|STEP) (?P<number>\d+)/(?P<total>\d+) ?: (?P<line>.+)",
    re.S,
)
_CACHED = re.compile(r" ?-+> Using cache\b")
# dockerd paints what a command writes to standard error.
_RED, _PLAIN = "\x1b[91m", "\x1b[0m"


class ClassicProgress:
    """Reads one build's messages in their order; steps run one after the other."""

    def __init__(self) -> None:
        self.steps = Steps()
        self._stage = self._number = self._total = 0
        self._current: str | None = None
        self._just_begun = False
        self._image_id: str | None = None

    def read(self, message: Message) -> list[BuildEvent]:
        """The events in one message of the engine's answer."""
        if isinstance(aux := message.get("aux"), dict) and "ID" in aux:
            self._image_id = aux["ID"]
        text = message.get("stream")
        if not text:
            return []
        if found := self._next_step(text):
            return self._begin(found)
        return self._output(text)

    def end(self) -> list[BuildEvent]:
        """The answer is over and had no error: the last image named is the one that was built."""
        if self._image_id is None:
            return []
        return [*self._finish(StepStatus.DONE), ImageBuilt(self._image_id)]

    def stuck(self) -> bool:
        """Never: this is BuildKit's fault alone."""
        return False

    def fail(self, reason: str) -> list[StepChanged]:
        """The step that runs is the one that failed."""
        return self._finish(StepStatus.FAILED, reason)

    def _next_step(self, text: str) -> re.Match[str] | None:
        found = _STEP.fullmatch(text.strip())
        if not found:
            return None
        stage, number, total = (int(found[part] or 0) for part in ("stage", "number", "total"))
        follows = stage == self._stage and number == self._number + 1 and total == self._total
        opens = number == 1 and (stage > self._stage or self._current is None)
        # Podman counts each stage by itself, and leaves out those that are not needed.
        if not (follows or opens):
            return None
        self._stage, self._number, self._total = stage, number, total
        return found

    def _begin(self, found: re.Match[str]) -> list[BuildEvent]:
        events: list[BuildEvent] = [*self._finish(StepStatus.DONE)]
        # As BuildKit names steps, whose stages count from 0.
        stage = f"stage-{self._stage - 1} " if self._stage else ""
        line = " ".join(found["line"].split())
        self._current = f"{self._stage}.{self._number}"
        self._just_begun = True
        name = f"[{stage}{self._number}/{self._total}] {line}"
        events += self.steps.update(self._current, name, StepStatus.RUNNING, now())
        return events

    def _output(self, text: str) -> list[BuildEvent]:
        if self._just_begun and not text.strip():
            return []  # the end of dockerd's `Step …` line
        events: list[BuildEvent] = []
        if self._just_begun and _CACHED.match(text):
            events += self._finish(StepStatus.CACHED)
        self._just_begun = False
        step = self.steps.index(self._current) if self._current else None
        data = text.removeprefix(_RED).removesuffix(_PLAIN).encode()
        return [*events, StepOutput(step, now(), data)]

    def _finish(self, status: StepStatus, error: str | None = None) -> list[StepChanged]:
        if self._current is None:
            return []
        return self.steps.finish(self._current, status, error)
