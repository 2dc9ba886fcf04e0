"""Putting the pieces of an image into the registry, each only where it is missing."""

import asyncio
from collections.abc import AsyncIterable, AsyncIterator, Awaitable, Callable
from dataclasses import dataclass
from typing import TypeVar

from engine.reference import Reference
from engine.registry import Registry, RegistryError, RegistryUnreachable
from engine.saving.node.image import Document
from engine.saving.node.report import Report
from engine.saving.plan import Plan
from engine.sizes import format_bytes

T = TypeVar("T")

Read = Callable[[str], AsyncIterable[bytes]]
"""The bytes of a blob, by its digest."""


@dataclass(frozen=True, slots=True)
class Blob:
    """A piece of the image."""

    digest: str
    size: int


@dataclass(frozen=True, slots=True)
class Pusher:
    """Pushes the pieces of one image."""

    plan: Plan
    registry: Registry
    report: Report

    async def again_and_again(self, push: Callable[[], Awaitable[T]]) -> T:
        """Push; where the registry fails, push again. Nothing is read anew for it."""
        pause = self.plan.retry_seconds
        for attempt in range(1, self.plan.push_tries):
            try:
                return await push()
            except RegistryUnreachable as error:
                self.report.say(
                    f"{error.message} This was push {attempt} of {self.plan.push_tries}; the next "
                    f"one follows in {pause:g} seconds."
                )
            await asyncio.sleep(pause)
            pause *= 2
        return await push()

    async def blob(self, blob: Blob, read: Read) -> None:
        """Send a piece, unless the registry has it. Raises RegistryError."""
        if not await self.registry.has_blob(self.plan.repository, blob.digest):
            await self.registry.upload_blob(
                self.plan.repository, blob.digest, read(blob.digest), blob.size
            )
            self.report.say(f"Sent {blob.digest}, {format_bytes(blob.size)}.")

    async def document(self, document: Document) -> None:
        """Send a config. Raises RegistryError."""

        async def read(_: str) -> AsyncIterator[bytes]:
            yield document.body

        await self.blob(Blob(document.digest, len(document.body)), read)

    async def base_layer(self, blob: Blob, base: Reference | None, read: Read | None) -> None:
        """Have a layer of the base image in the repository, sending it only where that must be.

        `read` is None when the node does not have the layer any more. Raises RegistryError.
        """
        repository, registry = self.plan.repository, self.registry
        if await registry.has_blob(repository, blob.digest):
            return
        is_beside = base is not None and base.registry == registry.host
        if (
            base
            and is_beside
            and await registry.mount_blob(repository, blob.digest, base.repository)
        ):
            self.report.say(f"Mounted {blob.digest} from {base.repository}.")
            return
        if read is None:
            if base is None:
                raise RegistryError(
                    f"Neither the node nor {registry.host} has {blob.digest} of the base image."
                )
            await self._from_elsewhere(blob, base)
        else:
            await self.blob(blob, read)

    async def _from_elsewhere(self, blob: Blob, base: Reference) -> None:
        """Send a layer that only the base's own registry has, without a login."""
        same = base.registry == self.registry.host
        if same:
            await self.blob(blob, lambda digest: self.registry.blob(base.repository, digest))
            return
        async with Registry(base.registry) as other:
            await self.blob(blob, lambda digest: other.blob(base.repository, digest))
