"""Places in a working tree that came from outside: nothing leads out of it.

Symbolic links stay what they are, since a build may need them, but none is followed out of it.
"""

import os
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path, PurePosixPath

from engine.errors import BuildFailed
from models.enums import FailureCode

_LONGEST = 255  # bytes, of a name (and more than any path in a repository that a person typed)


@dataclass(frozen=True, slots=True)
class FoundDockerfile:
    """A Dockerfile, and a remark for the log when it is not where the user said."""

    path: Path
    remark: str | None = None


def relative_place(path: str, field: str) -> PurePosixPath:
    """`/demo/`, `./demo` and `demo` are one place, from the repository's root.

    Raises BuildFailed CONTEXT_INVALID, naming the input's field, for a path that leaves it.
    """
    place = PurePosixPath(path.strip().lstrip("/"))
    if ".." in place.parts or "\0" in path:
        raise BuildFailed(
            FailureCode.CONTEXT_INVALID,
            f"{field} must stay within the repository: write it from the repository's root, "
            "without `..`.",
        )
    if len(os.fsencode(str(place))) > _LONGEST:
        raise BuildFailed(FailureCode.CONTEXT_INVALID, f"{field} is too long to be a path.")
    return place


def context_directory(tree: Path, context_path: str) -> Path:
    """The directory that is built, within a tree. Raises BuildFailed CONTEXT_INVALID."""
    place = relative_place(context_path, "contextPath")
    found = _within(tree, tree / place, "contextPath")
    if not found.is_dir():
        what = "is a file" if found.exists() else "does not exist"
        raise BuildFailed(
            FailureCode.CONTEXT_INVALID,
            f"contextPath: the directory {str(place)!r} {what} in the repository.",
        )
    return found


def find_dockerfile(tree: Path, context: Path, dockerfile_path: str) -> FoundDockerfile:
    """The Dockerfile, from the repository's root; failing that, from the directory that is built.

    Raises BuildFailed DOCKERFILE_NOT_FOUND, or CONTEXT_INVALID for a path that leaves the tree.
    """
    place = relative_place(dockerfile_path, "dockerfilePath")
    from_root = _within(tree, tree / place, "dockerfilePath")
    if from_root.is_file():
        return FoundDockerfile(from_root)
    from_context = _within(tree, context / place, "dockerfilePath")
    if from_context.is_file():
        shown = context.relative_to(tree.resolve()) / place
        return FoundDockerfile(
            from_context, f"There is no {place} at the repository's root: using {shown}."
        )
    raise dockerfile_missing(place, ())


def dockerfile_missing(place: PurePosixPath, instead: Iterable[str]) -> BuildFailed:
    """The failure that names the Dockerfiles which there are."""
    listed = ", ".join(instead)
    hint = f" There are: {listed}." if listed else ""
    return BuildFailed(
        FailureCode.DOCKERFILE_NOT_FOUND,
        f"The repository has no file {str(place)!r}: dockerfilePath is read from its root.{hint}",
    )


def leaving_links(tree: Path, links: Iterable[str]) -> list[str]:
    """Those symbolic links that point out of the tree."""
    root = os.path.realpath(tree)
    return [link for link in links if _leaves(root, link)]


def _leaves(root: str, link: str) -> bool:
    at = os.path.join(root, link)
    target = os.path.normpath(os.path.join(os.path.dirname(at), os.readlink(at)))
    return not (target == root or target.startswith(root + os.sep))


def _within(tree: Path, path: Path, field: str) -> Path:
    try:
        resolved = path.resolve()
    except (OSError, RuntimeError):  # links in a circle
        resolved = Path("/")
    if not resolved.is_relative_to(tree.resolve()):
        raise BuildFailed(
            FailureCode.CONTEXT_INVALID,
            f"{field} leads out of the repository through a symbolic link.",
        )
    return resolved
