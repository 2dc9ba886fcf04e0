"""What a builder says when it gives up, as failures with a code, a step and a remedy.

The texts are those of BuildKit in Docker 20.10 and later, of dockerd's classic builder, and of
Podman. Rules are tried in order; each returns None for what is not its affair.
"""

import re
from collections.abc import Callable
from dataclasses import dataclass

from engine.docker.events import StepChanged
from engine.docker.full_disk import full_disk
from engine.docker.registry_failures import base_failure, is_about_registry
from engine.docker.wording import instruction, readable, sentence
from engine.errors import BuildFailed
from models.enums import FailureCode

OUT_OF_MEMORY_EXIT = 137


@dataclass(frozen=True, slots=True)
class Refusal:
    """The builder's last words, the step they are about and what that printed at last, and the
    Dockerfile that was asked for."""

    text: str
    step: StepChanged | None
    printed: str
    dockerfile: str

    @property
    def reason(self) -> str:
        """The cause alone, to stand before a full stop."""
        return sentence(readable(self.text))

    @property
    def index(self) -> int | None:
        """The step's number."""
        return self.step.index if self.step else None

    @property
    def instruction(self) -> str:
        """`RUN`, `COPY` …; empty for the builder's own steps."""
        return instruction(self.step.name)[0] if self.step else ""

    @property
    def line(self) -> str:
        """The Dockerfile's line; empty for the builder's own steps."""
        return instruction(self.step.name)[1] if self.step else ""


def build_failure(
    text: str, step: StepChanged | None, printed: str, dockerfile: str
) -> BuildFailed:
    """The failure that an error text of the builder stands for."""
    refusal = Refusal(text, step, printed, dockerfile)
    verdicts = (rule(refusal) for rule in _RULES)
    return next(filter(None, verdicts), None) or _other(refusal)


_NO_DOCKERFILE = re.compile(
    r"failed to read dockerfile|Cannot locate specified Dockerfile"
    r"|^forbidden path outside the build context|^stat \S+: no such file"
)
_SYNTAX = re.compile(
    r"dockerfile parse error(?: on)? line (?P<line>\d+): (?P<problem>.+)"
    r"|Dockerfile.{0,20}cannot be empty"
    r"|no build stage in current context|should not be blank|failed to parse stage name"
    r"|target stage .+ could not be found|failed to reach build target"
    r"|target \".*\" was not found|option requires BuildKit|Unknown instruction|no contents in"
    r"|no FROM statement|(?:COPY|ADD) only supports|(?:COPY|ADD) requires at least|unknown flag",
    re.I | re.S,
)
_NO_SECRET = re.compile(r"no active session|no secret with id|no ssh key with id")
_EXIT = re.compile(r"(?:exit code|exit status|returned a non-zero code):? (?P<code>\d+)")
_MISSING_FILE = re.compile(
    r'"(?P<quoted>[^"]+)"(?: not found)?: not found'
    r'|l?stat:? \[?"?(?P<path>[^"\]:]+)"?\]?: (?:no such file or directory|file does not exist)'
    r"|forbidden path outside the build context: (?P<outside>\S+)"
    r"|no source files were specified"
)
_BASE = re.compile(r"(?:load metadata for|FROM|--from=|,from=) ?(?P<reference>[^\s,]+)")
_ENGINE_ENDING = re.compile(
    r"context canceled|transport is closing|connection is closing|shutting down|is closed$"
)


def _dockerfile_missing(refusal: Refusal) -> BuildFailed | None:
    if not _NO_DOCKERFILE.search(readable(refusal.text)):
        return None
    return BuildFailed(
        FailureCode.DOCKERFILE_NOT_FOUND,
        f"There is no file {refusal.dockerfile} in the build context. Check the Dockerfile's path: "
        "it counts from the root of the context.",
    )


def _dockerfile_invalid(refusal: Refusal) -> BuildFailed | None:
    found = _SYNTAX.search(readable(refusal.text))
    # Without a step, it is the image's own tag that is no reference, which is not the user's.
    bad_base = refusal.step is not None and "invalid reference format" in refusal.text
    if not found and not bad_base:
        return None
    if found and found["line"]:
        where, problem = f"line {found['line']} of ", sentence(found["problem"])
    else:
        where, problem = f"`{refusal.line}` in " if refusal.line else "", refusal.reason
    return BuildFailed(
        FailureCode.DOCKERFILE_INVALID,
        f"The builder does not understand {where}{refusal.dockerfile}: {problem}.",
        refusal.index,
    )


def _secret_mount(refusal: Refusal) -> BuildFailed | None:
    if refusal.instruction != "RUN" or not _NO_SECRET.search(refusal.text):
        return None
    return BuildFailed(
        FailureCode.DOCKERFILE_INVALID,
        f"`{refusal.line}` needs a secret or an SSH agent, and builds here are given neither. "
        "Remove the --mount option.",
        refusal.index,
    )


def _file_missing(refusal: Refusal) -> BuildFailed | None:
    copies = refusal.instruction in {"COPY", "ADD"} or "cache key" in refusal.text
    found = _MISSING_FILE.search(readable(refusal.text)) if copies else None
    if found is None:
        return None
    name = found["quoted"] or found["path"] or found["outside"]
    needs = f"needs {name.lstrip('/')}, which is not" if name else "names files, and none is"
    if stage := re.search(r"--from=(\S+)", refusal.line):
        return BuildFailed(
            FailureCode.STEP_FAILED,
            f"`{refusal.line}` {needs} in {stage[1]}. Check the path, and what it makes.",
            refusal.index,
        )
    return BuildFailed(
        FailureCode.CONTEXT_INVALID,
        f"`{refusal.line}` {needs} in the build context. Check the path, which counts from "
        "the root of the context, and .dockerignore.",
        refusal.index,
    )


def _context_broken(refusal: Refusal) -> BuildFailed | None:
    if "archive/tar" not in refusal.text:
        return None
    return BuildFailed(
        FailureCode.CONTEXT_INVALID, f"The engine cannot read the build context: {refusal.reason}."
    )


def _command_failed(refusal: Refusal) -> BuildFailed | None:
    found = _EXIT.search(refusal.text)
    if not found or refusal.instruction != "RUN":
        return None
    code = int(found["code"])
    why = "Its output in the log says why."
    if code == OUT_OF_MEMORY_EXIT:
        why = "It was killed, most often because the engine's machine ran out of memory."
    return BuildFailed(
        FailureCode.STEP_FAILED,
        f"`{refusal.line}` failed with exit code {code}. {why}",
        refusal.index,
    )


def _frontend_unavailable(refusal: Refusal) -> BuildFailed | None:
    if refusal.step is None or not refusal.step.name.startswith("resolve image config for "):
        return None
    frontend = refusal.step.name.split()[-1].removeprefix("docker-image://")
    failure = base_failure(frontend, refusal.text, refusal.index)
    advice = f"{refusal.dockerfile} asks for it in its `# syntax=` line, which can go as a rule."
    return BuildFailed(failure.code, f"{failure.message} {advice}", refusal.index)


def _base_unavailable(refusal: Refusal) -> BuildFailed | None:
    named = _BASE.search(refusal.step.name) if refusal.step else None
    if named is None or not is_about_registry(refusal.text):
        return None
    return base_failure(named["reference"], refusal.text, refusal.index)


def _disk_full(refusal: Refusal) -> BuildFailed | None:
    # Of a command that found no room, the builder says that it failed, and nothing else.
    return full_disk(f"{refusal.text}\n{refusal.printed}", refusal.index)


def _engine_ending(refusal: Refusal) -> BuildFailed | None:
    if not _ENGINE_ENDING.search(refusal.text):
        return None
    return BuildFailed(
        FailureCode.ENGINE_UNREACHABLE,
        "The Docker Engine ended in the middle of the build.",
        refusal.index,
    )


def _other(refusal: Refusal) -> BuildFailed:
    if refusal.line:
        return BuildFailed(
            FailureCode.STEP_FAILED, f"`{refusal.line}` failed: {refusal.reason}.", refusal.index
        )
    return BuildFailed(FailureCode.INTERNAL, f"The build failed: {refusal.reason}.", refusal.index)


_RULES: tuple[Callable[[Refusal], BuildFailed | None], ...] = (
    _disk_full,
    _dockerfile_missing,
    _secret_mount,
    _file_missing,
    _command_failed,
    _dockerfile_invalid,
    _context_broken,
    _frontend_unavailable,
    _base_unavailable,
    _engine_ending,
)
