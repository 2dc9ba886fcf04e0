"""A disk of its own, which a test may fill without taking anything from the machine."""

import contextlib
import os
import subprocess
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

_TRIES = 20


@dataclass(frozen=True, slots=True)
class Disk:
    """A file system in memory, mounted at `path`."""

    path: Path
    size: int

    @contextlib.contextmanager
    def full(self) -> Iterator[None]:
        """No room for anything until the block ends; what is there stays."""
        self._fill()
        try:
            yield
        finally:
            self._resize(self.size)

    def _fill(self) -> None:
        """Leave as much as is used, which may grow before it is said: then once more."""
        for _ in range(_TRIES - 1):
            with contextlib.suppress(subprocess.CalledProcessError):
                return self._resize(self._used())
        return self._resize(self._used())

    def _used(self) -> int:
        status = os.statvfs(self.path)
        return (status.f_blocks - status.f_bfree) * status.f_frsize

    def _resize(self, size: int) -> None:
        _run("mount", "-o", f"remount,size={size}", str(self.path))


@contextlib.contextmanager
def disk(path: Path, size: int = 1 << 30) -> Iterator[Disk]:
    """Mount one until the block ends. Memory is taken only for what is kept there."""
    path.mkdir(parents=True, exist_ok=True)
    _run("mount", "-t", "tmpfs", "-o", f"size={size},mode=755", "tmpfs", str(path))
    try:
        yield Disk(path, size)
    finally:
        # Lazily: a program that ends late must not keep the mount for ever.
        _run("umount", "--lazy", str(path))
        path.rmdir()


def _run(*command: str) -> None:
    subprocess.run(command, check=True, capture_output=True)
