"""Base images: resolved to digests, put on record, and brought to the engine before the build.

The builder takes a base by the tag that the Dockerfile names. So the exact digest is pulled and
given that tag on the engine, and the Dockerfile stays as its author wrote it. Two builds that need
different digests under one tag take turns.
"""

import asyncio
import contextlib
from collections.abc import AsyncIterator
from dataclasses import dataclass, replace

from engine import dockerfile
from engine.errors import BuildFailed
from engine.hidden_bases import refuse_hidden
from engine.job import Job
from engine.logs.writer import ClaimLost
from engine.reference import BadReference, Reference, parse_reference
from engine.registry import (
    Credentials,
    Registry,
    RegistryDenied,
    RegistryError,
    RegistryNotFound,
)
from models.enums import FailureCode


@dataclass(frozen=True, slots=True)
class Base:
    """An image that the Dockerfile names, and the digest that it has for this build."""

    named: str  # as the Dockerfile has it
    reference: Reference
    digest: str | None  # None for an image that only the engine has


async def resolve(job: Job) -> list[Base]:
    """Find the digest of every base, and put it on record. Raises BuildFailed."""
    text = job.build.dockerfile or ""
    names = list(dict.fromkeys(use.reference for use in dockerfile.bases(text)))
    for name in names:
        await refuse_hidden(job, name, _parse(name))
    if job.build.pinned:
        found = await _recorded(job, names)
    else:
        found = [await _resolve(job, name) for name in names]
    rows = [{"reference": base.named, "digest": base.digest} for base in found]
    if not await job.build.note(bases=rows):
        raise ClaimLost
    for base in found:
        await job.say(f"Base image {base.named} is {base.digest or 'an image of the engine'}.")
    return found


@contextlib.asynccontextmanager
async def on_engine(job: Job, bases: list[Base]) -> AsyncIterator[None]:
    """Have every base on the engine, under the tag that the Dockerfile names, for the block."""
    async with contextlib.AsyncExitStack() as stack:
        # In one order for everybody, so that two builds cannot wait for each other.
        for base in sorted(bases, key=lambda base: base.named):
            if base.digest:
                await stack.enter_async_context(_tags.holding(str(base.reference), base.digest))
                await _bring(job, base, base.digest)
        yield


async def _bring(job: Job, base: Base, digest: str) -> None:
    docker = job.services.docker
    reference = base.reference
    repository = f"{reference.registry}/{reference.repository}"
    exact = f"{repository}@{digest}"
    if await docker.image(exact) is None:
        await docker.pull(exact, _credentials(job, reference), job.say)
    if reference.tag:
        await docker.tag(exact, repository, reference.tag)


async def _recorded(job: Job, names: list[str]) -> list[Base]:
    """A build that is made again takes the digests of its record. Raises BuildFailed."""
    digests = {row["reference"]: row["digest"] for row in job.build.bases}
    found = [
        # A build that failed early may have got no further than its context.
        Base(name, _parse(name), digests[name]) if name in digests else await _resolve(job, name)
        for name in names
    ]
    for base in found:
        if base.digest:
            await _require(job, base, base.digest)
    return found


async def _require(job: Job, base: Base, digest: str) -> None:
    """Have the registry confirm a digest: what one engine still has, the next may not."""
    try:
        await _digest(job, replace(base.reference, tag=None, digest=digest))
    except RegistryNotFound as error:
        message = (
            f"The registry no longer has the base image {base.named} as it was, {digest}, so this "
            "record cannot be built again exactly. Build it with today's base: `pinned: false`."
        )
        raise BuildFailed(FailureCode.BASE_NOT_FOUND, message) from error
    except RegistryError as error:
        exact = f"{base.reference.registry}/{base.reference.repository}@{digest}"
        if await job.services.docker.image(exact) is None:
            raise _failure(base.named, error) from error


async def _resolve(job: Job, name: str) -> Base:
    reference = _parse(name)
    if reference.digest:
        return Base(name, reference, reference.digest)
    try:
        return Base(name, reference, await _digest(job, reference))
    except RegistryError as error:
        # An image that was built on the engine, or came there some other way, is as good.
        if await job.services.docker.image(str(reference)):
            return Base(name, reference, None)
        raise _failure(name, error) from error


async def _digest(job: Job, reference: Reference) -> str:
    version = reference.digest or reference.tag or "latest"
    if reference.registry == job.services.settings.registry:
        return (await job.services.registry.resolve(reference.repository, version)).digest
    async with Registry(reference.registry, None, insecure=None) as registry:
        return (await registry.resolve(reference.repository, version)).digest


def _credentials(job: Job, reference: Reference) -> Credentials | None:
    """Our account is for our registry alone."""
    ours = reference.registry == job.services.settings.registry
    return job.services.credentials if ours else None


def _parse(name: str) -> Reference:
    try:
        return parse_reference(name)
    except BadReference as error:
        message = f"The base image `{name}` cannot be read: {error.message}"
        raise BuildFailed(FailureCode.DOCKERFILE_INVALID, message) from error


def _failure(name: str, error: RegistryError) -> BuildFailed:
    if isinstance(error, RegistryNotFound):
        message = f"There is no base image {name}. Check its name and tag. ({error.message})"
        return BuildFailed(FailureCode.BASE_NOT_FOUND, message)
    if isinstance(error, RegistryDenied):
        message = f"The base image {name} is not there, or may not be read. ({error.message})"
        return BuildFailed(FailureCode.BASE_DENIED, message)
    return BuildFailed(
        FailureCode.REGISTRY_UNREACHABLE,
        f"The registry of the base image {name} did not answer. ({error.message})",
    )


class _Tags:
    """Which digest each tag has on the engine, while builds rely on it."""

    def __init__(self) -> None:
        self._held: dict[str, tuple[str, int]] = {}
        self._freed = asyncio.Condition()

    @contextlib.asynccontextmanager
    async def holding(self, tag: str, digest: str) -> AsyncIterator[None]:
        """Rely on `tag` being `digest`; wait while others rely on another digest."""
        async with self._freed:
            await self._freed.wait_for(lambda: self._held.get(tag, (digest, 0))[0] == digest)
            self._held[tag] = (digest, self._held.get(tag, (digest, 0))[1] + 1)
        try:
            yield
        finally:
            await asyncio.shield(self._free(tag))

    async def _free(self, tag: str) -> None:
        async with self._freed:
            digest, users = self._held.pop(tag)
            if users > 1:
                self._held[tag] = (digest, users - 1)
            self._freed.notify_all()


_tags = _Tags()
