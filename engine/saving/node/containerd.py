"""Saving from containerd: the snapshot's difference to its parent becomes the new layer.

Everything that is made on the node hangs on a lease that carries the saving's key. The container is
paused under a lease of its own, which says so: whoever comes after a killed process finds it there.
"""

import asyncio
import contextlib
from collections.abc import AsyncIterator
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from functools import partial
from uuid import uuid4

from engine.clock import now
from engine.containerd.client import Containerd, ContainerInfo, Content
from engine.containerd.protos import containerd_pb2 as pb
from engine.errors import BuildFailed
from engine.registry import Registry
from engine.saving.events import Made, Phase, Saved
from engine.saving.node.base_image import BaseImage, find_base
from engine.saving.node.checks import check
from engine.saving.node.image import (
    NewLayer,
    config_document,
    extend_config,
    manifest_document,
)
from engine.saving.node.layer import Layer, deleted_paths, is_below, mount_points, rewrite
from engine.saving.node.pipes import consume, transform
from engine.saving.node.push import Blob, Pusher
from engine.saving.node.report import Report
from engine.saving.plan import LABEL, Plan
from engine.sizes import format_bytes
from models.enums import FailureCode

PAUSED = "darkroom.paused"
"""A lease's label: the container that was paused under it."""
VIEW = "darkroom.view"
"""A lease's label: the snapshot that was made under it, as `snapshotter/key`."""
_EXPIRES = timedelta(hours=24)
"""When containerd forgets a lease that nobody came back for."""
_COPIES = 2.0
"""The difference is stored as it is and, compressed, once more."""


@dataclass(frozen=True, slots=True)
class ContainerdSaving:
    """One container of one containerd, being saved."""

    plan: Plan
    containerd: Containerd
    registry: Registry
    report: Report

    async def save(self) -> Saved:
        """Save the container. Raises BuildFailed, ContainerdError and RegistryError."""
        container = await self.containerd.container(self.plan.container_id)
        with self.report.phase(Phase.CHECK):
            base = await self._check(container)
        async with self._lease({VIEW: f"{container.snapshotter}/{self._view}"}) as lease:
            difference = await self._read(container, base, lease)
            layer, found = await self._pack(container, base, difference, lease)
            with self.report.phase(Phase.PUSH):
                digest = await self._push(base, layer)
        self.report.changes(found.changes)
        return Saved(
            digest=digest,
            runtime_name="containerd",
            runtime_version=await self.containerd.version(),
            base_digest=base.digest,
            written=found.content,
            layer_size=layer.size,
            changes=len(found.changes),
        )

    async def clean(self) -> None:
        """Let the container go on and remove what an earlier try left behind."""
        for lease in await self.containerd.leases(LABEL, self.plan.key):
            if container := lease.labels.get(PAUSED):
                await self._resume(container)
            if view := lease.labels.get(VIEW):
                snapshotter, _, key = view.partition("/")
                await self.containerd.remove_snapshot(snapshotter, key)
            await self.containerd.release(lease.id)

    async def _check(self, container: ContainerInfo) -> BaseImage:
        status = await self.containerd.status(container.id)
        if status not in (pb.RUNNING, pb.PAUSED):
            raise BuildFailed(
                FailureCode.CONTAINER_NOT_RUNNING,
                "The container has ended. Only a container that runs can be saved.",
            )
        parent = await self.containerd.parent(container.snapshotter, container.snapshot)
        base = await find_base(self.containerd, self.plan, container.image, parent)
        written = await self.containerd.usage(container.snapshotter, container.snapshot)
        await check(self.plan, self.registry, written, _COPIES, self.report)
        return base

    async def _read(self, container: ContainerInfo, base: BaseImage, lease: str) -> Content:
        """What the container wrote, as it is at one moment."""
        parent = await self.containerd.view(container.snapshotter, self._view, base.chain_id, lease)
        own = await self.containerd.mounts(container.snapshotter, container.snapshot)
        async with self._paused(container.id):
            with self.report.phase(Phase.COMMIT):
                found = await self.containerd.diff(parent, own, f"{lease}-diff", lease)
                self.report.say(f"Read {format_bytes(found.size)}.")
        return found

    async def _pack(
        self, container: ContainerInfo, base: BaseImage, difference: Content, lease: str
    ) -> tuple[NewLayer, Layer]:
        """The layer as it is pushed: cleaned and compressed, in the node's content store."""
        added = await self._added(container, base, lease)
        mounts = mount_points([mount["destination"] for mount in container.spec.get("mounts", [])])
        found: list[Layer] = []
        pieces = transform(
            self.containerd.read(difference.digest),
            lambda source, target: found.append(
                rewrite(source, target, mounts, partial(is_below, tops=added))
            ),
        )
        async with contextlib.aclosing(pieces):
            content = await self.containerd.write(f"{lease}-layer", pieces, lease)
        layer = found[0]
        self.report.say(
            f"{len(layer.changes)} files differ from the base image, "
            f"{format_bytes(layer.content)}; {format_bytes(content.size)} compressed."
        )
        return NewLayer(content.digest, content.size, layer.diff_id), layer

    async def _added(self, container: ContainerInfo, base: BaseImage, lease: str) -> frozenset[str]:
        """What the base image lacks: what would be deleted on the way back to it."""
        parent = await self.containerd.mounts(container.snapshotter, self._view)
        own = await self.containerd.mounts(container.snapshotter, container.snapshot)
        back = await self.containerd.diff(own, parent, f"{lease}-back", lease)
        return await consume(self.containerd.read(back.digest), deleted_paths)

    async def _push(self, base: BaseImage, layer: NewLayer) -> str:
        created = datetime.now(UTC)
        config = config_document(
            extend_config(base.config, layer.diff_id, self.plan, created), base.manifest
        )
        manifest = manifest_document(base.manifest, config, layer)
        self.report.tell(Made(config.digest))
        pusher = Pusher(self.plan, self.registry, self.report)

        async def push() -> str:
            for blob in base.layers:
                has = await self.containerd.content(blob.digest)
                await pusher.base_layer(blob, base.reference, self.containerd.read if has else None)
            await pusher.blob(Blob(layer.digest, layer.size), self.containerd.read)
            await pusher.document(config)
            return await self.registry.put_manifest(
                self.plan.repository, self.plan.tag, manifest.media_type, manifest.body
            )

        return await pusher.again_and_again(push)

    @contextlib.asynccontextmanager
    async def _paused(self, container: str) -> AsyncIterator[None]:
        """Pause the container where that is wanted; it goes on whatever happens."""
        already = await self.containerd.status(container) == pb.PAUSED
        if already or not self.plan.pause:
            self.report.say("The container is paused already." if already else "It is not paused.")
            yield
            return
        async with self._lease({PAUSED: container}):
            try:
                with self.report.phase(Phase.PAUSE):
                    await self.containerd.pause(container)
                yield
            finally:
                with self.report.phase(Phase.RESUME):
                    await asyncio.shield(self._resume(container))

    async def _resume(self, container: str) -> None:
        if await self.containerd.status(container) in (pb.PAUSED, pb.PAUSING):
            await self.containerd.resume(container)

    @contextlib.asynccontextmanager
    async def _lease(self, labels: dict[str, str]) -> AsyncIterator[str]:
        id_ = f"darkroom-{uuid4().hex}"
        expires = (now() + _EXPIRES).isoformat(timespec="seconds")
        about = {LABEL: self.plan.key, "containerd.io/gc.expire": expires, **labels}
        try:
            await self.containerd.lease(id_, about)
            yield id_
        finally:
            await asyncio.shield(self._end_lease(id_, labels))

    async def _end_lease(self, id_: str, labels: dict[str, str]) -> None:
        if view := labels.get(VIEW):
            snapshotter, _, key = view.partition("/")
            await self.containerd.remove_snapshot(snapshotter, key)
        await self.containerd.release(id_)

    @property
    def _view(self) -> str:
        return f"darkroom-{self.plan.key}"
