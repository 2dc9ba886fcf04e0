"""Directories of one fetch, gone when it ends: by success, failure or cancel."""

import asyncio
import contextlib
import shutil
import tempfile
from collections.abc import AsyncIterator
from pathlib import Path

from engine.git.finishing import in_full


@contextlib.asynccontextmanager
async def private_directory(parent: Path | None = None) -> AsyncIterator[Path]:
    """A directory that only this user can read (0700), removed at the end."""
    made = await asyncio.to_thread(tempfile.mkdtemp, prefix=".git-", dir=parent)
    try:
        yield Path(made)
    finally:
        await in_full(asyncio.to_thread(_remove, Path(made)))


@contextlib.asynccontextmanager
async def emptied_on_failure(into: Path) -> AsyncIterator[None]:
    """Leave no half of a working tree behind."""
    await asyncio.to_thread(into.mkdir, parents=True, exist_ok=True)
    try:
        yield
    except BaseException:
        await in_full(asyncio.to_thread(_empty, into))
        raise


def _remove(directory: Path) -> None:
    # A killed process may create its last file while we look: the second time nobody is left.
    shutil.rmtree(directory, ignore_errors=True)
    if directory.exists():
        shutil.rmtree(directory, ignore_errors=True)


def _empty(directory: Path) -> None:
    for entry in directory.iterdir():
        if entry.is_dir() and not entry.is_symlink():
            shutil.rmtree(entry, ignore_errors=True)
        else:
            entry.unlink(missing_ok=True)
