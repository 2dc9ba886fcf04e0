"""One build, as a list: fetch, freeze, resolve, build, push, read back.

Each step says in the build's log what it did, in words that a person understands, and puts what
it resolved on record at once: a build that fails later is as traceable as one that succeeds.
"""

import asyncio
import contextlib
from collections.abc import AsyncIterator
from dataclasses import replace
from datetime import datetime

from engine import bases, builds
from engine.build_steps import StepRecorder
from engine.context import FrozenContext, freeze, stream_tar
from engine.docker.build import build as build_on_engine
from engine.docker.events import ImageBuilt, StepChanged, StepOutput
from engine.dockerfile import find_dockerfile, read_dockerfile
from engine.errors import BuildFailed
from engine.installation import instance_of
from engine.job import Job
from engine.logs.writer import ClaimLost
from engine.push import Result, push
from engine.repeating import say_what_differs, say_what_is_repeated
from engine.saving.save import SAVED, save
from engine.sizes import format_bytes
from engine.sources import Fetched
from engine.sources.by_origin import FETCH
from engine.tracing import span
from models import Duty
from models.database import transaction
from models.enums import BuildStatus, FailureCode, StepStatus
from settings import VERSION, Settings

_REPRODUCIBLE = ("buildkit", "containerd")


def built_names(settings: Settings) -> str:
    """How images are called on the engine from the end of their build to the end of their push.

    No registry can have such a name (RFC 6761), and no other Darkroom that uses the same engine.
    """
    return f"darkroom.invalid/{instance_of(settings)}/build-"


async def run(job: Job) -> Result:
    """Build one image and push it. Raises BuildFailed, or ClaimLost."""
    if job.image.origin in SAVED:
        return await save(job)
    await _introduce(job)
    await say_what_is_repeated(job)
    if not job.build.context_digest:
        with span("fetch"):
            fetched = await FETCH[job.image.origin](job)
        with span("freeze"):
            await _freeze(job, fetched)
    with span("resolve"):
        resolved = await bases.resolve(job)
    await say_what_differs(job)
    async with bases.on_engine(job, resolved), _built(job) as image_id:
        with span("push"):
            return await push(job, image_id)


async def _introduce(job: Job) -> None:
    """Say who builds, and with what; put the environment on record."""
    engine = await job.services.docker.info()
    environment = {
        "engine": engine.name,
        "engineVersion": engine.version,
        "builder": engine.builder,
        "imageStore": engine.image_store,
        "darkroom": VERSION,
    }
    await _record(job, environment=environment)
    await job.say(
        f"Build {job.build.number} of {job.image.name}, "
        f"on {engine.name} {engine.version} ({engine.builder})."
    )


async def _freeze(job: Job, fetched: Fetched) -> None:
    """Archive the context under its own digest: what is built is what can be built again."""
    limit = job.services.settings.context_bytes
    archive = job.folder / "context.tar.zst"
    dockerfile = await asyncio.to_thread(
        find_dockerfile, fetched.directory, fetched.dockerfile_path
    )
    text = await asyncio.to_thread(read_dockerfile, dockerfile)
    await _record(
        job, dockerfile=text, dockerfile_path=fetched.dockerfile_path, commit=fetched.commit
    )
    frozen = await asyncio.to_thread(
        freeze, fetched.directory, fetched.dockerfile_path, archive, max_bytes=limit
    )
    await job.services.blobs.keep_file(frozen.key, archive)
    await transaction(lambda: _refer_to(job, frozen))
    # Housekeeping may have removed the same context a moment before it was referred to again.
    await job.services.blobs.keep_file(frozen.key, archive)
    await job.say(
        f"The context has {frozen.files} files, {format_bytes(frozen.size)}: {frozen.digest}."
    )


@contextlib.asynccontextmanager
async def _built(job: Job) -> AsyncIterator[str]:
    """The image on the engine, until the block ends."""
    if not await builds.advance(job.services, job.build, BuildStatus.BUILDING):
        raise ClaimLost
    # Equal builds make one image on the engine. A name for each keeps it until the last lets go.
    name = f"{built_names(job.services.settings)}{job.build.id}:{job.build.fence}"
    try:
        with span("build"):
            image_id = await _build(job, name)
        yield image_id
    finally:
        with contextlib.suppress(BuildFailed):  # an engine that is gone; whoever needed it says so
            # The builder's cache keeps the layers; the image itself is the registry's to keep.
            await asyncio.shield(job.services.docker.remove_image(name))


async def _build(job: Job, name: str) -> str:
    """Run the builder; its steps and their output go on record as they come."""
    image_id = None
    steps = StepRecorder(job.build, job.services.notifier)
    events = build_on_engine(
        job.services.docker,
        stream_tar(job.services.blobs.stream(_context(job).key)),
        dockerfile=job.build.dockerfile_path or "Dockerfile",
        tag=name,
        epoch=await _epoch(job),
    )
    try:
        async with contextlib.aclosing(events):
            async for event in events:
                match event:
                    case StepOutput(step, time, data, stream):
                        await job.log.write(step, time, data, stream)
                    case StepChanged():
                        await _step_changed(job, steps, event)
                    case ImageBuilt(id_):
                        image_id = id_
    finally:
        await asyncio.shield(steps.close())
    if image_id is None:
        raise BuildFailed(FailureCode.INTERNAL, "The engine ended the build without an image.")
    return image_id


async def _step_changed(job: Job, steps: StepRecorder, event: StepChanged) -> None:
    # A step is called as its line in the Dockerfile reads, which may hold an address's password.
    mask = job.log.mask
    event = replace(event, name=mask(event.name), error=mask(event.error) if event.error else None)
    if steps.begins(event):
        cached = "CACHED " if event.status is StepStatus.CACHED else ""
        await job.log.say(f"{cached}{event.name}", event.index)
    if event.status not in (StepStatus.PENDING, StepStatus.RUNNING):
        await job.log.end_step(event.index)
    steps.change(event)


async def _epoch(job: Job) -> int | None:
    """What the image's files are dated to, so that the same inputs give the same digest."""
    build = job.build
    if (build.environment["builder"], build.environment["imageStore"]) != _REPRODUCIBLE:
        return None
    epoch: int | None = build.source_date_epoch
    if epoch is None:
        when = datetime.fromisoformat(build.commit["committed_at"]) if build.commit else None
        epoch = int((when or build.created_at).timestamp())
        await _record(job, source_date_epoch=epoch)
    await job.say(
        f"What the steps write is dated to SOURCE_DATE_EPOCH={epoch}, so that the same inputs can "
        "give the same digest."
    )
    return epoch


def _context(job: Job) -> FrozenContext:
    """The context on record; how many files it has is not needed to read it."""
    return FrozenContext(job.build.context_digest or "", job.build.context_size or 0, files=0)


async def _refer_to(job: Job, frozen: FrozenContext) -> None:
    await Duty.lock("contexts")
    await _record(job, context_digest=frozen.digest, context_size=frozen.size)


async def _record(job: Job, **changes: object) -> None:
    if not await job.build.note(**changes):
        raise ClaimLost
