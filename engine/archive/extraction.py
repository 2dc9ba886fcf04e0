"""Writing the entries of an archive that nobody vouches for into an empty directory.

Files and directories are written as they come; symbolic links only at the very end, when all of
them are known to stay inside. So at no moment is there a link that a write could go through.
"""

import errno
import os
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from enum import Enum
from pathlib import Path
from typing import Protocol

from engine.errors import BuildFailed
from engine.sizes import format_bytes
from engine.symlinks import leaves
from models.enums import FailureCode

_CHUNK = 1024 * 1024
_LONGEST_TARGET = 4096  # PATH_MAX


@dataclass(frozen=True, slots=True)
class UnpackLimits:
    """What an archive may grow to: bytes of content, and entries (implied directories count)."""

    max_bytes: int
    max_entries: int


class Readable(Protocol):
    """The content of one entry."""

    def read(self, size: int, /) -> bytes:
        """At most `size` bytes; nothing at the end."""


class _Kind(Enum):
    FILE = "a file"
    DIRECTORY = "a directory"
    SYMLINK = "a symbolic link"


class Extraction:
    """One archive on its way into `into`, an empty directory that belongs to nobody else.

    Each method takes an entry's name as the archive spells it, and raises BuildFailed
    (CONTEXT_INVALID or CONTEXT_TOO_LARGE) that names the entry.
    """

    def __init__(self, into: Path, limits: UnpackLimits) -> None:
        self._into = into
        self._limits = limits
        self._kinds: dict[str, _Kind] = {}
        self._links: dict[str, str] = {}
        self._entries = 0
        self._bytes = 0

    def directory(self, name: str, mode: int) -> None:
        """Make a directory, or give one that is there its mode."""
        path = self._claim(name, _Kind.DIRECTORY)
        if path is not None:
            with _named(name):
                path.mkdir(exist_ok=True)
                # Whoever runs this must be able to write into it and to remove it.
                path.chmod(mode & 0o777 | 0o700)

    def file(self, name: str, mode: int, content: Readable) -> None:
        """Write a file; a later entry of the same name replaces it, as tar's append means it."""
        path = self._claim_required(name, _Kind.FILE)
        with _named(name):
            # Not truncated: the old file may have a second name, by a hard link.
            path.unlink(missing_ok=True)
            with path.open("xb") as file:
                while chunk := content.read(_CHUNK):
                    self._count_bytes(len(chunk))
                    file.write(chunk)
            # No set-user-id, set-group-id and sticky bits: they mean nothing in a context.
            path.chmod(mode & 0o777 | 0o600)

    def symlink(self, name: str, target: str) -> None:
        """Remember a symbolic link, to be made by `finish`."""
        if not target or "\0" in target or len(os.fsencode(target)) > _LONGEST_TARGET:
            raise refused(name, "is a symbolic link without a usable target")
        clean = self._claim_required(name, _Kind.SYMLINK)
        self._links[clean.relative_to(self._into).as_posix()] = target

    def hard_link(self, name: str, target: str) -> None:
        """Give an earlier file of this archive a second name."""
        source = _clean(name, target, what="links to")
        if source in self._links:
            self.symlink(name, self._links[source])
            return
        if self._kinds.get(source) is not _Kind.FILE:
            raise refused(name, f"is a hard link to {target!r}, which is no earlier file in it")
        path = self._claim_required(name, _Kind.FILE)
        original = self._into / source
        if path == original:
            return
        with _named(name):
            # The context holds the content once more, so that it counts once more.
            self._count_bytes(original.stat().st_size)
            path.unlink(missing_ok=True)
            path.hardlink_to(original)

    def finish(self) -> None:
        """Make the symbolic links. Raises BuildFailed when one leaves, or nothing was there."""
        if not self._kinds:
            raise BuildFailed(FailureCode.CONTEXT_INVALID, "The archive is empty.")
        for name, target in self._links.items():
            if leaves(name, self._links):
                raise refused(name, f"links to {target!r}, outside the archive")
        for name, target in self._links.items():
            with _named(name):
                (self._into / name).symlink_to(target)

    def _claim_required(self, name: str, kind: _Kind) -> Path:
        path = self._claim(name, kind)
        if path is None:
            raise refused(name, f"names the archive's root, but is {kind.value}")
        return path

    def _claim(self, name: str, kind: _Kind) -> Path | None:
        """Where an entry goes, with its parents made; None for the root itself."""
        clean = _clean(name, name, what="is named")
        if not clean:
            return None
        self._require_same_kind(clean, kind)
        self._make_parents(name, clean)
        self._count_entry()
        self._kinds[clean] = kind
        return self._into / clean

    def _require_same_kind(self, clean: str, kind: _Kind) -> None:
        earlier = self._kinds.get(clean, kind)
        if earlier is not kind:
            raise refused(clean, f"is there twice, as {earlier.value} and as {kind.value}")

    def _make_parents(self, name: str, clean: str) -> None:
        parents = clean.split("/")[:-1]
        for depth in range(1, len(parents) + 1):
            parent = "/".join(parents[:depth])
            kind = self._kinds.get(parent)
            if kind is _Kind.DIRECTORY:
                continue
            if kind is not None:
                raise refused(name, f"lies below {parent!r}, which is {kind.value}")
            self._count_entry()
            with _named(name):
                (self._into / parent).mkdir(mode=0o755)
            self._kinds[parent] = _Kind.DIRECTORY

    def _count_entry(self) -> None:
        self._entries += 1
        if self._entries > self._limits.max_entries:
            raise too_many_entries(self._limits)

    def _count_bytes(self, count: int) -> None:
        self._bytes += count
        if self._bytes > self._limits.max_bytes:
            raise BuildFailed(
                FailureCode.CONTEXT_TOO_LARGE,
                f"The archive holds more than the {format_bytes(self._limits.max_bytes)} that a "
                "build context may have. Leave out what the build does not need.",
            )


def refused(name: str, reason: str) -> BuildFailed:
    """The error for an entry that is not taken, which it names."""
    return BuildFailed(FailureCode.CONTEXT_INVALID, f"The archive's entry {name!r} {reason}.")


def too_many_entries(limits: UnpackLimits) -> BuildFailed:
    """The error for more entries than allowed."""
    return BuildFailed(
        FailureCode.CONTEXT_TOO_LARGE,
        f"The archive holds more than the {limits.max_entries:,} files and directories that a "
        "build context may have. Leave out what the build does not need.",
    )


def _clean(entry: str, path: str, *, what: str) -> str:
    """A path of the archive without `.` and doubled slashes; empty for the root."""
    try:
        path.encode("utf-8")
    except UnicodeEncodeError:
        raise refused(
            entry, "has a name that is not UTF-8; make the archive with UTF-8 names"
        ) from None
    if "\0" in path:
        raise refused(entry, "has a zero byte in its name")
    if path.startswith("/"):
        raise refused(entry, f"{what} by an absolute path; make the archive with relative paths")
    parts = [part for part in path.split("/") if part not in ("", ".")]
    if ".." in parts:
        raise refused(entry, f"{what} by a path with '..', which may leave the archive")
    return "/".join(parts)


@contextmanager
def _named(name: str) -> Iterator[None]:
    """Blame the entry for what the file system cannot hold; other errors are the machine's."""
    try:
        yield
    except OSError as error:
        if error.errno in (errno.ENAMETOOLONG, errno.EINVAL, errno.EILSEQ):
            shown = name if len(name) <= 100 else name[:100] + "…"
            raise refused(
                shown, "has a name that is too long, or that cannot be a file's"
            ) from error
        raise
