"""What a .dockerignore keeps out of a build context, as Docker decides it.

`pathspec` is not used: it speaks .gitignore, where `*.md` also matches in subdirectories, where
`docs` matches at any depth, and where nothing below an ignored directory can be taken back by a
`!` line. Docker's patterns start at the context's root, and its last matching line wins.
"""

import posixpath
from dataclasses import dataclass
from pathlib import Path
from typing import Self

from engine.dockerignore_pattern import Pattern
from engine.errors import BuildFailed
from models.enums import FailureCode

# Real files have at most some hundred. Every path is compared with every line.
_MOST_PATTERNS = 2_000
_LARGEST_FILE = 512 * 1024


@dataclass(frozen=True, slots=True)
class _Line:
    pattern: Pattern
    exception: bool


class DockerIgnore:
    """The patterns of one file, with the meaning that moby's patternmatcher gives them."""

    def __init__(self, lines: list[_Line]) -> None:
        self._lines = lines
        self._exceptions = [line.pattern for line in lines if line.exception]
        self._matched = {"": 0}

    @classmethod
    def parse(cls, text: str, name: str = ".dockerignore") -> Self:
        """Read a file's text. Raises BuildFailed (CONTEXT_INVALID) with the malformed line."""
        lines: list[_Line] = []
        for number, raw in enumerate(text.removeprefix("\ufeff").split("\n"), start=1):
            try:
                line = _read_line(raw)
            except ValueError as error:
                raise BuildFailed(
                    FailureCode.CONTEXT_INVALID, f"{name}, line {number}: {error}."
                ) from None
            if line is not None:
                lines.append(line)
        if len(lines) > _MOST_PATTERNS:
            raise BuildFailed(
                FailureCode.CONTEXT_INVALID,
                f"{name} has {len(lines):,} patterns; at most {_MOST_PATTERNS:,} are allowed.",
            )
        return cls(lines)

    def ignores(self, path: str) -> bool:
        """Whether a path, relative to the context and with slashes, is left out."""
        parent = posixpath.dirname(path)
        if parent not in self._matched:
            above = ""
            for name in parent.split("/"):
                below = posixpath.join(above, name)
                self._matched[below] = self._match(below, self._matched[above])[1]
                above = below
        return self._match(path, self._matched[parent])[0]

    def _match(self, path: str, matched_parent: int) -> tuple[bool, int]:
        """Whether a path is left out, and which lines matched it, as bits.

        A line that matched the directory matches what is in it. A line is asked only where it
        would change the answer; one that was not asked for a directory does not match its content
        for its sake. That is how moby does it, and it shows: `*/a` and then `!d` leave out `d/a`.
        """
        ignored, matched = False, 0
        for number, line in enumerate(self._lines):
            hit = bool(matched_parent >> number & 1)
            if not hit and line.exception is ignored:
                hit = line.pattern.matches(path)
            if hit:
                ignored = not line.exception
                matched |= 1 << number
        return ignored, matched

    def prunes(self, directory: str) -> bool:
        """Whether nothing below an ignored directory can be taken back by a `!` line."""
        return not any(pattern.may_match_below(directory) for pattern in self._exceptions)


def find_dockerignore(directory: Path, dockerfile_path: str) -> str | None:
    """The file that counts: the Dockerfile's own (`<Dockerfile>.dockerignore`), or the context's.

    Its path relative to the context; None where there is none.
    """
    for name in (f"{posixpath.normpath(dockerfile_path)}.dockerignore", ".dockerignore"):
        path = directory / name
        # A link could show a file outside the context in the message about a malformed line.
        if path.is_file() and path.resolve().is_relative_to(directory.resolve()):
            return name
    return None


def read_dockerignore(directory: Path, name: str | None) -> DockerIgnore:
    """Read the file that `find_dockerignore` found; without one, nothing is ignored.

    Raises BuildFailed (CONTEXT_INVALID) when it is malformed, too large, or not UTF-8.
    """
    if name is None:
        return DockerIgnore([])
    path = directory / name
    if path.stat().st_size > _LARGEST_FILE:
        raise BuildFailed(FailureCode.CONTEXT_INVALID, f"{name} is larger than 512 KiB.")
    try:
        return DockerIgnore.parse(path.read_text(encoding="utf-8"), name)
    except UnicodeDecodeError:
        raise BuildFailed(FailureCode.CONTEXT_INVALID, f"{name} is not UTF-8 text.") from None


def _read_line(raw: str) -> _Line | None:
    """One line, cleaned as moby's ignorefile does it; None for one that means nothing."""
    # A comment is told before the line is trimmed: " #x" names a file.
    if raw.startswith("#") or not (text := raw.strip()):
        return None
    exception = text.startswith("!")
    if exception and not (text := text[1:].strip()):
        raise ValueError("a '!' without a pattern")
    text = posixpath.normpath(text)
    if len(text) > 1:
        text = text.lstrip("/")
    # For historical reasons, says Docker, the pattern "." is ignored.
    return None if text == "." else _Line(Pattern(text), exception)
