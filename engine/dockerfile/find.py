"""The Dockerfile inside a directory."""

import os
from collections.abc import Iterator
from itertools import islice
from pathlib import Path, PurePosixPath

from engine.dockerfile.check import MAX_BYTES, too_large
from engine.errors import BuildFailed
from models.enums import FailureCode

_MOST_SHOWN = 5
# A message is not worth more than this many directories.
_MOST_VISITED = 2_000


def find_dockerfile(directory: Path, path: str) -> Path:
    """The file at `path` of a context, without following it when it is a link.

    Raises BuildFailed (DOCKERFILE_NOT_FOUND) when the path leaves the directory, or no file is
    there; the message names Dockerfiles that are.
    """
    relative = PurePosixPath(path)
    usable = bool(path.strip()) and "\0" not in path
    if not usable or relative.is_absolute() or ".." in relative.parts:
        raise _not_found(
            f"The Dockerfile's path {path!r} must be relative to the build context, without '..'."
        )
    found = directory / relative
    # os.path, because Path raises where links go in circles or names are too long.
    if not Path(os.path.realpath(found)).is_relative_to(os.path.realpath(directory)):
        raise _not_found(f"The Dockerfile {path!r} is a link out of the build context.")
    if not os.path.isfile(found):
        raise _not_found(f"There is no Dockerfile at {path!r}. {_present(directory)}")
    return found


def read_dockerfile(path: Path) -> str:
    """A Dockerfile's text, its line ends as they are.

    Raises BuildFailed (DOCKERFILE_INVALID) when it is larger than 512 KiB, or not UTF-8.
    """
    if (size := path.stat().st_size) > MAX_BYTES:
        raise BuildFailed(FailureCode.DOCKERFILE_INVALID, too_large(size))
    try:
        return path.read_bytes().decode("utf-8")
    except UnicodeDecodeError:
        raise BuildFailed(
            FailureCode.DOCKERFILE_INVALID, "The Dockerfile is not UTF-8 text. Save it as UTF-8."
        ) from None


def _present(directory: Path) -> str:
    names = list(islice(_dockerfiles(directory), _MOST_SHOWN))
    if not names:
        return "No other Dockerfile is in the build context."
    return f"The build context has: {', '.join(names)}."


def _dockerfiles(directory: Path) -> Iterator[str]:
    """Files that look like Dockerfiles, those near the top first."""
    level = [""]
    visited = 0
    while level and visited < _MOST_VISITED:
        below: list[str] = []
        for parent in level:
            visited += 1
            with os.scandir(directory / parent) as items:
                for item in sorted(items, key=lambda item: item.name):
                    name = f"{parent}/{item.name}".lstrip("/")
                    if item.is_dir(follow_symlinks=False) and item.name != ".git":
                        below.append(name)
                    elif item.is_file(follow_symlinks=False) and _looks_like_one(item.name):
                        yield name
        level = below


def _looks_like_one(name: str) -> bool:
    name = name.lower()
    if name.endswith(".dockerignore"):
        return False
    return name.startswith(("dockerfile", "containerfile")) or name.endswith(".dockerfile")


def _not_found(message: str) -> BuildFailed:
    return BuildFailed(FailureCode.DOCKERFILE_NOT_FOUND, message)
