"""Which files, directories and links of a directory belong to the build context."""

import os
import posixpath
import stat
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from engine.dockerfile.find import find_dockerfile
from engine.dockerignore import DockerIgnore, find_dockerignore, read_dockerignore
from engine.errors import BuildFailed
from engine.symlinks import leaves
from models.enums import FailureCode


@dataclass(frozen=True, slots=True)
class Entry:
    """One member of a context: its path from the root, its mode, a file's size, a link's target."""

    name: str
    mode: int
    size: int
    target: str | None


def list_entries(directory: Path, dockerfile_path: str) -> list[Entry]:
    """Everything that is sent, sorted by the bytes of the names, directories before their content.

    The Dockerfile and the ignore file are always there, because the builder needs them; so are
    the directories above what is there. Raises BuildFailed (DOCKERFILE_NOT_FOUND,
    CONTEXT_INVALID).
    """
    dockerfile = find_dockerfile(directory, dockerfile_path)
    ignore_file = find_dockerignore(directory, dockerfile_path)
    ignore = read_dockerignore(directory, ignore_file)
    always = {dockerfile.relative_to(directory).as_posix(), ".dockerignore"}
    # Where the Dockerfile is a link, its target is needed too.
    always.add(dockerfile.resolve().relative_to(directory.resolve()).as_posix())
    if ignore_file is not None:
        always.add(ignore_file)
    found = _Walk(directory, ignore, always).entries()
    _refuse_leaving_links(found)
    return sorted(found.values(), key=lambda entry: os.fsencode(entry.name))


class _Walk:
    def __init__(self, directory: Path, ignore: DockerIgnore, always: set[str]) -> None:
        self._directory = directory
        self._ignore = ignore
        self._always = always
        self._above_always = {parent for name in always for parent in _parents(name)}
        self._found: dict[str, Entry] = {}

    def entries(self) -> dict[str, Entry]:
        pending = [""]
        while pending:
            for entry in self._children(pending.pop()):
                is_directory = stat.S_ISDIR(entry.mode)
                ignored = entry.name not in self._always and self._ignore.ignores(entry.name)
                if not ignored:
                    self._add(entry)
                if is_directory and not (ignored and self._prunes(entry.name)):
                    pending.append(entry.name)
        return self._found

    def _prunes(self, name: str) -> bool:
        return name not in self._above_always and self._ignore.prunes(name)

    def _add(self, entry: Entry) -> None:
        for parent in _parents(entry.name):
            if parent not in self._found:
                self._found[parent] = Entry(parent, stat.S_IFDIR | 0o755, 0, None)
        self._found[entry.name] = entry

    def _children(self, name: str) -> Iterator[Entry]:
        with os.scandir(self._directory / name) as items:
            for item in items:
                yield _entry(posixpath.join(name, item.name), item)


def _entry(name: str, item: "os.DirEntry[str]") -> Entry:
    status = item.stat(follow_symlinks=False)
    size = status.st_size if stat.S_ISREG(status.st_mode) else 0
    target = os.readlink(item.path) if stat.S_ISLNK(status.st_mode) else None
    return Entry(name, status.st_mode, size, target)


def _refuse_leaving_links(found: dict[str, Entry]) -> None:
    """Refuse what no context may hold, among what is sent: what is ignored does no harm."""
    links = {entry.name: entry.target for entry in found.values() if entry.target is not None}
    for entry in found.values():
        if entry.target is not None:
            if leaves(entry.name, links):
                raise _refused(entry.name, f"links to {entry.target!r}, outside the build context")
        elif not (stat.S_ISREG(entry.mode) or stat.S_ISDIR(entry.mode)):
            raise _refused(entry.name, "is a device, a pipe or a socket")


def _refused(name: str, reason: str) -> BuildFailed:
    return BuildFailed(
        FailureCode.CONTEXT_INVALID, f"{name!r} {reason}. Remove it or list it in .dockerignore."
    )


def _parents(name: str) -> list[str]:
    parts = name.split("/")[:-1]
    return ["/".join(parts[:depth]) for depth in range(1, len(parts) + 1)]
