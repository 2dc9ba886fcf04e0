"""Building an image from a frozen context, by BuildKit, or by the classic builder without it."""

import contextlib
import json
from collections.abc import AsyncGenerator, AsyncIterator, Mapping
from typing import Literal, Protocol

from aiodocker import DockerError

from engine.docker.buildkit import BuildKitProgress
from engine.docker.classic import ClassicProgress
from engine.docker.client import DockerEngine
from engine.docker.events import BuildEvent, ImageBuilt, StepChanged, StepOutput
from engine.docker.failures import build_failure
from engine.docker.steps import Steps
from engine.docker.stream import Message
from engine.docker.wording import readable
from engine.errors import BuildFailed
from models.enums import FailureCode

Builder = Literal["buildkit", "classic"]


class _Progress(Protocol):
    """How one builder's messages are read."""

    steps: Steps

    def read(self, message: Message) -> list[BuildEvent]: ...

    def end(self) -> list[BuildEvent]: ...

    def stuck(self) -> bool: ...

    def fail(self, reason: str) -> list[StepChanged]: ...


async def build(
    engine: DockerEngine,
    context: AsyncIterator[bytes],
    *,
    dockerfile: str = "Dockerfile",
    tag: str | None = None,
    labels: Mapping[str, str] | None = None,
    build_args: Mapping[str, str] | None = None,
    target: str | None = None,
    no_cache: bool = False,
    builder: Builder | None = None,
    epoch: int | None = None,
) -> AsyncGenerator[BuildEvent, None]:
    """Build an image; the last event is ImageBuilt.

    `context` is an uncompressed tar, `dockerfile` a path in it. Images that the Dockerfile names
    with a digest and that the engine has are used without asking their registry. `builder` is what
    the engine has unless it is given.

    `epoch`, in seconds since 1970, dates the image and the files that its steps wrote, so that the
    same inputs give the same digest (reproducible-builds.org's SOURCE_DATE_EPOCH). Only BuildKit
    with the containerd image store can.

    Cancelling the task stops the build on the engine at once. So does closing this iterator: leave
    it early only within `contextlib.aclosing`. Steps that are open then get no further event.
    Podman ends a build with the command that runs, which it does not interrupt.

    Raises BuildFailed: STEP_FAILED, DOCKERFILE_NOT_FOUND, DOCKERFILE_INVALID, CONTEXT_INVALID,
    BASE_NOT_FOUND, BASE_DENIED, REGISTRY_UNREACHABLE, ENGINE_UNREACHABLE or INTERNAL, after every
    step has got its final state. An exception of `context` passes through as it is.
    """
    builder = builder or (await engine.info()).builder
    progress: _Progress = BuildKitProgress() if builder == "buildkit" else ClassicProgress()
    params = _params(builder, dockerfile, tag, target, no_cache, labels or {}, build_args or {})
    params |= _dated(params, epoch)
    body = _Body(context)
    printed = _Printed()
    messages = engine.messages("build", params, {"Content-Type": "application/x-tar"}, body.read())
    try:
        async with contextlib.aclosing(messages):
            async for message in messages:
                for event in progress.read(message):
                    printed.note(event)
                    yield event
                if progress.stuck():
                    await _rescue(engine, progress, tag)
                    break
        last = _last(progress)
    except DockerError as refusal:
        reason = refusal.message or "the engine gives no reason"
        for change in (*progress.fail(readable(reason)), *progress.steps.cancel_rest()):
            yield change
        # An engine that is stopped kills the command first: that is not the command's failure.
        await engine.ping()
        failed = progress.steps.failed(readable(reason))
        raise build_failure(reason, failed, printed.by(failed), dockerfile) from refusal
    except BuildFailed:
        for change in progress.steps.cancel_rest():
            yield change
        if body.error:
            raise body.error from None
        raise
    for event in last:
        yield event


class _Printed:
    """What each step printed at last, which may tell why it failed."""

    _MOST = 1000  # bytes

    def __init__(self) -> None:
        self._by_step: dict[int | None, bytes] = {}

    def note(self, event: BuildEvent) -> None:
        """Remember what is output."""
        if isinstance(event, StepOutput):
            before = self._by_step.get(event.step, b"")
            self._by_step[event.step] = (before + event.data)[-self._MOST :]

    def by(self, step: StepChanged | None) -> str:
        """The last words of a step; blank for one that printed nothing."""
        return self._by_step.get(step.index, b"").decode(errors="replace") if step else ""


def _last(progress: _Progress) -> list[BuildEvent]:
    """What remains to be told of an image that was built."""
    last = progress.end()
    if not last:
        raise BuildFailed(
            FailureCode.ENGINE_UNREACHABLE, "The Docker Engine ended the build without a word."
        )
    return last


async def _rescue(engine: DockerEngine, progress: _Progress, tag: str | None) -> None:
    """End a build whose report does not, when it has told the whole build all the same.

    Raises what the engine would have said, or BuildFailed when something is missing.
    """
    if failed := progress.steps.failed(""):
        raise DockerError(0, failed.error or "")
    match progress.end():
        case [*_, ImageBuilt(image_id)] if progress.steps.all_over:
            if tag:
                # The engine does so once its report has ended.
                await engine.tag(image_id, *_split(tag))
        case _:
            raise BuildFailed(
                FailureCode.INTERNAL,
                "The Docker Engine lost track of the build: engines of version 20.10 do when a "
                "step prints faster than it can be read. Let the step print less, or into a file; "
                "a newer engine has no such limit.",
            )


def _split(reference: str) -> tuple[str, str]:
    repository, _, tag = reference.rpartition(":")
    return repository, tag


def _params(
    builder: Builder,
    dockerfile: str,
    tag: str | None,
    target: str | None,
    no_cache: bool,
    labels: Mapping[str, str],
    build_args: Mapping[str, str],
) -> dict[str, str]:
    """The query of Docker's `POST /build`; the classic builder removes its containers always."""
    params = {
        "version": "2" if builder == "buildkit" else "1",
        "dockerfile": dockerfile,
        "labels": json.dumps(dict(labels)),
        "buildargs": json.dumps(dict(build_args)),
        "rm": "1",
        "forcerm": "1",
    }
    if tag:
        params["t"] = tag
    if target:
        params["target"] = target
    if no_cache:
        params["nocache"] = "1"
    return params


def _dated(params: Mapping[str, str], epoch: int | None) -> dict[str, str]:
    """What makes the image a function of its inputs."""
    if epoch is None:
        return {}
    arguments = json.loads(params["buildargs"]) | {"SOURCE_DATE_EPOCH": str(epoch)}
    # Without the prefix, an image without a tag would not be kept at all.
    attributes = {"rewrite-timestamp": "true", "dangling-name-prefix": "moby-dangling"}
    return {
        "buildargs": json.dumps(arguments),
        "outputs": json.dumps([{"Type": "image", "Attrs": attributes}]),
    }


class _Body:
    """The context on its way, and the error that it ended with, which aiohttp would take for the
    connection's."""

    def __init__(self, context: AsyncIterator[bytes]) -> None:
        self._context = context
        self.error: Exception | None = None

    async def read(self) -> AsyncIterator[bytes]:
        try:
            async for chunk in self._context:
                yield chunk
        except Exception as error:
            self.error = error
            raise
