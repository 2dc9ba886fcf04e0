"""Layers as tar archives (OCI image specification, "Image Layer Filesystem Changeset")."""

import gzip
import hashlib
import io
import tarfile
from collections.abc import Callable, Collection, Iterator
from dataclasses import dataclass, field
from pathlib import PurePosixPath
from typing import IO, TYPE_CHECKING, cast

from engine.saving.events import Change
from models.enums import FileChange

if TYPE_CHECKING:
    from _typeshed import ReadableBuffer

_WHITEOUT = ".wh."
_OPAQUE = ".wh..wh..opq"
# Where today's base images point the runtime's old places to.
_ALIASES = {"var/run": "run", "var/lock": "run/lock"}
# Speed counts more than the last percent: the container's user waits.
_LEVEL = 4
_BLOCK = 1024 * 1024
"""Bytes that are read at once."""


@dataclass(slots=True)
class Layer:
    """What was found in a layer while it passed."""

    changes: list[Change] = field(default_factory=list)
    content: int = 0
    """Bytes of its files."""
    diff_id: str = ""
    """The digest of the archive before compression."""


def mount_points(destinations: Collection[str]) -> frozenset[str]:
    """Where something was mounted, as a layer's entries spell it."""
    found = {destination.strip("/") for destination in destinations}
    for path in list(found):
        for old, new in _ALIASES.items():
            if path.startswith(f"{old}/"):
                found.add(new + path.removeprefix(old))
    return frozenset(found)


def rewrite(
    source: IO[bytes], target: IO[bytes], mounts: frozenset[str], is_new: Callable[[str], bool]
) -> Layer:
    """Copy a layer, compressed, without the places that the runtime made to mount things on.

    `is_new` tells whether the base image lacks a path. The result is the same bytes for the same
    archive. Raises tarfile.TarError.
    """
    layer = Layer()
    # A fixed time and no name: the same layer is to have the same digest.
    with gzip.GzipFile(
        filename="", mode="wb", compresslevel=_LEVEL, fileobj=target, mtime=0
    ) as packed:
        hashing = _Hashing(packed)
        with tarfile.open(
            fileobj=cast("IO[bytes]", hashing), mode="w|", format=tarfile.PAX_FORMAT
        ) as output:
            for member, content in _without_mounts(source, mounts):
                output.addfile(member, content)
                output.members = []  # type: ignore[attr-defined]  # it would remember them all
                _note(layer, member, is_new)
        layer.diff_id = f"sha256:{hashing.hash.hexdigest()}"
    return layer


def survey(source: IO[bytes], is_new: Callable[[str], bool]) -> Layer:
    """Read what a layer holds that was compressed by gzip. Raises tarfile.TarError and OSError."""
    layer = Layer()
    # Not left to tarfile: it takes quadratic time where much was compressed to little.
    unpacked = cast("IO[bytes]", gzip.GzipFile(fileobj=source))
    for member, _ in _entries(unpacked):
        _note(layer, member, is_new)
    return layer


def deleted_paths(source: IO[bytes]) -> frozenset[str]:
    """The paths that a layer removes."""
    names = (PurePosixPath(member.name) for member, _ in _entries(source))
    return frozenset(
        str(path.with_name(path.name.removeprefix(_WHITEOUT)))
        for path in names
        if path.name.startswith(_WHITEOUT) and path.name != _OPAQUE
    )


def is_below(path: str, tops: Collection[str]) -> bool:
    """Whether `path` is one of `tops` or lies below one."""
    pure = PurePosixPath(path)
    return any(str(above) in tops for above in (pure, *pure.parents))


def _entries(source: IO[bytes]) -> Iterator[tuple[tarfile.TarInfo, IO[bytes] | None]]:
    with tarfile.open(fileobj=source, mode="r|", bufsize=_BLOCK) as archive:
        for member in archive:
            archive.members = []  # type: ignore[attr-defined]  # it would remember them all
            yield member, archive.extractfile(member) if member.isreg() else None


def _without_mounts(
    source: IO[bytes], mounts: frozenset[str]
) -> Iterator[tuple[tarfile.TarInfo, IO[bytes] | None]]:
    """Leave out the mount points, and the folders that were made only to lead to one."""
    above = {str(parent) for path in mounts for parent in PurePosixPath(path).parents}
    held: list[tarfile.TarInfo] = []
    for member, content in _entries(source):
        path = member.name.strip("/")
        if path in mounts:
            continue
        # An archive goes depth first: what does not lead here has nothing more to come.
        held = [folder for folder in held if is_below(path, {folder.name.strip("/")})]
        if member.isdir() and path in above:
            held.append(member)
            continue
        for folder in held:
            yield folder, None
        held = []
        yield member, content


def _note(layer: Layer, member: tarfile.TarInfo, is_new: Callable[[str], bool]) -> None:
    path = PurePosixPath(member.name.strip("/"))
    if member.isdir() or path.name == _OPAQUE:
        return
    if path.name.startswith(_WHITEOUT):
        gone = path.with_name(path.name.removeprefix(_WHITEOUT))
        layer.changes.append(Change(f"/{gone}", FileChange.DELETED, None))
        return
    layer.content += member.size
    kind = FileChange.ADDED if is_new(str(path)) else FileChange.CHANGED
    layer.changes.append(Change(f"/{path}", kind, member.size))


class _Hashing(io.RawIOBase):
    """A file that hashes what is written to another."""

    def __init__(self, target: gzip.GzipFile) -> None:
        self._target = target
        self.hash = hashlib.sha256()

    def write(self, data: "ReadableBuffer") -> int:
        self.hash.update(data)
        return self._target.write(data)
