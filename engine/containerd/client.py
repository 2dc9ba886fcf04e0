"""What saving a container asks of containerd: tasks, snapshots, content, images and leases."""

import contextlib
import json
from collections.abc import AsyncIterable, AsyncIterator, Mapping
from dataclasses import dataclass
from typing import Any

from engine.containerd.calls import Calls
from engine.containerd.errors import ContainerdExists, ContainerdNotFound
from engine.containerd.mounts import read_only
from engine.containerd.protos import containerd_pb2 as pb
from engine.registry.digest import Measure

LAYER = "application/vnd.oci.image.layer.v1.tar"
"""A diff that is not compressed: the container is paused for the reading alone."""


@dataclass(frozen=True, slots=True)
class ContainerInfo:
    """A container's record."""

    id: str
    image: str
    """The name of the image that it was made from; the name may mean another image by now."""
    spec: Mapping[str, Any]
    """How it runs (OCI runtime specification)."""
    snapshotter: str
    snapshot: str
    """The key of its writable snapshot."""


@dataclass(frozen=True, slots=True)
class Content:
    """Bytes in the content store: digest, size in bytes, media type where it is known."""

    digest: str
    size: int
    media_type: str = ""


@dataclass(frozen=True, slots=True)
class Lease:
    """What keeps content and snapshots from the garbage collector."""

    id: str
    labels: Mapping[str, str]


class Containerd(Calls):
    """One containerd. Every method raises ContainerdError."""

    async def version(self) -> str:
        """Its version."""
        answer = await self._call("version.v1.Version/Version", pb.Empty(), pb.Version)
        return answer.version

    async def container(self, id_: str) -> ContainerInfo:
        """Raises ContainerdNotFound."""
        answer = await self._call(
            "containers.v1.Containers/Get", pb.Id(id=id_), pb.GetContainerResponse
        )
        found = answer.container
        return ContainerInfo(
            id=found.id,
            image=found.image,
            spec=json.loads(found.spec.value or b"{}"),
            snapshotter=found.snapshotter,
            snapshot=found.snapshot_key,
        )

    async def status(self, container: str) -> "pb.Status.ValueType":
        """Whether the container's main process runs, is paused, …; UNKNOWN when there is none."""
        request = pb.ContainerId(container_id=container)
        try:
            answer = await self._call("tasks.v1.Tasks/Get", request, pb.GetTaskResponse)
        except ContainerdNotFound:
            return pb.UNKNOWN
        return answer.process.status

    async def pause(self, container: str) -> None:
        """Freeze all of the container's processes."""
        await self._call("tasks.v1.Tasks/Pause", pb.ContainerId(container_id=container), pb.Empty)

    async def resume(self, container: str) -> None:
        """Let them go on."""
        await self._call("tasks.v1.Tasks/Resume", pb.ContainerId(container_id=container), pb.Empty)

    async def parent(self, snapshotter: str, key: str) -> str:
        """The chain ID of the layers below a snapshot."""
        request = pb.SnapshotKey(snapshotter=snapshotter, key=key)
        answer = await self._call("snapshots.v1.Snapshots/Stat", request, pb.StatSnapshotResponse)
        return answer.info.parent

    async def usage(self, snapshotter: str, key: str) -> int:
        """Bytes that a snapshot takes beyond its parent."""
        request = pb.SnapshotKey(snapshotter=snapshotter, key=key)
        answer = await self._call("snapshots.v1.Snapshots/Usage", request, pb.Usage, seconds=None)
        return answer.size

    async def mounts(self, snapshotter: str, key: str) -> list[pb.Mount]:
        """How an active snapshot is mounted, to be read: a container may be using it."""
        request = pb.SnapshotKey(snapshotter=snapshotter, key=key)
        answer = await self._call("snapshots.v1.Snapshots/Mounts", request, pb.Mounts)
        return read_only(answer.mounts)

    async def view(self, snapshotter: str, key: str, parent: str, lease: str) -> list[pb.Mount]:
        """A read-only snapshot of `parent` under the name `key`, and how it is mounted."""
        request = pb.ViewSnapshotRequest(snapshotter=snapshotter, key=key, parent=parent)
        answer = await self._call("snapshots.v1.Snapshots/View", request, pb.Mounts, lease=lease)
        return list(answer.mounts)

    async def remove_snapshot(self, snapshotter: str, key: str) -> None:
        """Quiet when there is none."""
        request = pb.SnapshotKey(snapshotter=snapshotter, key=key)
        try:
            await self._call("snapshots.v1.Snapshots/Remove", request, pb.Empty)
        except ContainerdNotFound:
            return

    async def diff(
        self, left: list[pb.Mount], right: list[pb.Mount], ref: str, lease: str
    ) -> Content:
        """What has to be done to `left` to get `right`, as a layer in the content store."""
        request = pb.DiffRequest(left=left, right=right, media_type=LAYER, ref=ref)
        answer = await self._call(
            "diff.v1.Diff/Diff", request, pb.DiffResponse, lease=lease, seconds=None
        )
        return Content(answer.diff.digest, answer.diff.size, answer.diff.media_type)

    async def content(self, digest: str) -> Content | None:
        """What the store has under a digest, if anything."""
        try:
            answer = await self._call(
                "content.v1.Content/Info", pb.Digest(digest=digest), pb.InfoResponse
            )
        except ContainerdNotFound:
            return None
        return Content(digest, answer.info.size)

    async def read(self, digest: str) -> AsyncIterator[bytes]:
        """The bytes under a digest. Raises ContainerdNotFound."""
        request = pb.ReadContentRequest(digest=digest)
        async for message in self._read("content.v1.Content/Read", request, pb.ReadContentResponse):
            yield message.data

    async def write(self, ref: str, body: AsyncIterable[bytes], lease: str) -> Content:
        """Store `body`, whose name on the way is `ref`; its digest and size."""
        measure = Measure()

        async def requests() -> AsyncIterator[pb.WriteContentRequest]:
            async for data in body:
                yield pb.WriteContentRequest(
                    action=pb.WRITE, ref=ref, offset=measure.size, data=data
                )
                measure.update(data)
            yield pb.WriteContentRequest(
                action=pb.COMMIT,
                ref=ref,
                offset=measure.size,
                total=measure.size,
                expected=measure.digest,
            )

        answers = self._exchange(
            "content.v1.Content/Write", requests(), pb.WriteContentResponse, lease=lease
        )
        # Somebody stored the same bytes before; the lease holds them now as well.
        with contextlib.suppress(ContainerdExists):
            async for _ in answers:
                pass
        return Content(measure.digest, measure.size)

    async def image(self, name: str) -> Content | None:
        """The manifest or index that an image's name means now."""
        try:
            answer = await self._call(
                "images.v1.Images/Get", pb.ImageName(name=name), pb.GetImageResponse
            )
        except ContainerdNotFound:
            return None
        target = answer.image.target
        return Content(target.digest, target.size, target.media_type)

    async def lease(self, id_: str, labels: Mapping[str, str]) -> None:
        """Make a lease."""
        request = pb.CreateLeaseRequest(id=id_, labels=labels)
        await self._call("leases.v1.Leases/Create", request, pb.CreateLeaseResponse)

    async def leases(self, label: str, value: str) -> list[Lease]:
        """The leases that carry a label with this value."""
        request = pb.Filters(filters=[f'labels."{label}"=="{value}"'])
        answer = await self._call("leases.v1.Leases/List", request, pb.ListLeasesResponse)
        return [Lease(lease.id, dict(lease.labels)) for lease in answer.leases]

    async def release(self, lease: str) -> None:
        """End a lease and collect what nothing else holds; quiet when there is none."""
        request = pb.DeleteLeaseRequest(id=lease, sync=True)
        try:
            await self._call("leases.v1.Leases/Delete", request, pb.Empty, seconds=None)
        except ContainerdNotFound:
            return
