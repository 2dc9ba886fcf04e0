"""Mounting a snapshot that a container uses, without disturbing the container."""

from collections.abc import Iterable

from engine.containerd.protos import containerd_pb2 as pb

_UPPER, _LOWER, _WORK = "upperdir=", "lowerdir=", "workdir="


def read_only(mounts: Iterable[pb.Mount]) -> list[pb.Mount]:
    """The same content, mounted so that nothing can be written.

    containerd before 1.7 mounts what it compares as it is told. A second overlay on the writable
    folder of a running container empties that folder's `workdir`, and from then on the container
    can neither delete nor change a file of its image. So the writable folder becomes one more
    layer to read from.
    """
    return [_overlay(mount) if mount.type == "overlay" else _other(mount) for mount in mounts]


def _overlay(mount: pb.Mount) -> pb.Mount:
    upper = [option.removeprefix(_UPPER) for option in mount.options if option.startswith(_UPPER)]
    options = [option for option in mount.options if not option.startswith((_UPPER, _WORK))]
    if upper:
        options = [
            f"{_LOWER}{upper[0]}:{option.removeprefix(_LOWER)}"
            if option.startswith(_LOWER)
            else option
            for option in options
        ]
    return pb.Mount(type=mount.type, source=mount.source, target=mount.target, options=options)


def _other(mount: pb.Mount) -> pb.Mount:
    options = [option for option in mount.options if option not in ("rw", "ro")]
    return pb.Mount(
        type=mount.type, source=mount.source, target=mount.target, options=[*options, "ro"]
    )
