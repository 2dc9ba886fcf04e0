"""Branches, tags and commits: what the server lists, and which of it the user means."""

import difflib
import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from enum import StrEnum

from engine.errors import BuildFailed
from models.enums import FailureCode

_HEADS, _TAGS, _PEELED = "refs/heads/", "refs/tags/", "^{}"
_FULL = re.compile(r"[0-9a-f]{40}|[0-9a-f]{64}")
_SHORT = re.compile(r"[0-9a-f]{4,63}")
# As git-check-ref-format(1) has it.
_FORBIDDEN = re.compile(r"[\x00-\x20\x7f~^:?*\[\\]|\.\.|@\{|//|/\.|\.lock(/|$)|[./]$|^[-/.]")


class RefKind(StrEnum):
    """What a name turned out to be."""

    BRANCH = "branch"
    TAG = "tag"
    COMMIT = "commit"
    OTHER = "ref"


@dataclass(frozen=True, slots=True)
class Target:
    """What to ask the server for. A short commit id must be completed first."""

    kind: RefKind
    name: str
    short: bool = False

    @property
    def shown(self) -> str:
        """The name as people write it."""
        return self.name.removeprefix(_HEADS).removeprefix(_TAGS)


@dataclass(frozen=True, slots=True)
class Refs:
    """The server's branches and tags, by full name, each with the object it points at."""

    listed: Mapping[str, str]

    @classmethod
    def parse(cls, listing: bytes) -> "Refs":
        """Read the output of `git ls-remote`; a tag's own object gives way to its commit."""
        found: dict[str, str] = {}
        for line in listing.decode(errors="surrogateescape").splitlines():
            sha, _, name = line.partition("\t")
            if name.startswith((_HEADS, _TAGS)):
                found[name.removesuffix(_PEELED)] = sha
        return cls(found)

    @property
    def names(self) -> list[str]:
        """Short names: `main`, `v1.0`."""
        return [name.removeprefix(_HEADS).removeprefix(_TAGS) for name in self.listed]

    @property
    def object_format(self) -> str:
        """The hash that the repository is made with."""
        return "sha256" if any(len(sha) == 64 for sha in self.listed.values()) else "sha1"

    def find(self, ref: str) -> Target:
        """The branch, else the tag, else the commit of this name. Raises GIT_REF_NOT_FOUND.

        A commit is taken on trust: the list does not tell which ones there are.
        """
        if ref in {"", "HEAD"}:
            return Target(RefKind.BRANCH, "HEAD")
        for name in (ref, f"{_HEADS}{ref}", f"{_TAGS}{ref}"):
            if name in self.listed:
                kind = RefKind.BRANCH if name.startswith(_HEADS) else RefKind.TAG
                return Target(kind, name)
        sha = ref.lower()
        if _FULL.fullmatch(sha):
            return Target(RefKind.COMMIT, sha)
        if _SHORT.fullmatch(sha):
            return self._short(sha)
        if ref.startswith("refs/") and not ref.startswith((_HEADS, _TAGS)) and well_formed(ref):
            return Target(RefKind.OTHER, ref)
        raise self.missing(ref)

    def missing(self, ref: str) -> BuildFailed:
        """The failure that names what looks like it."""
        if not self.listed:
            return BuildFailed(FailureCode.GIT_REF_NOT_FOUND, "The repository is empty.")
        shown = "".join(ch if ch.isprintable() else "?" for ch in ref)[:200]
        close = self.close_to(ref)
        hint = f" Close to it: {', '.join(close)}." if close else ""
        return BuildFailed(
            FailureCode.GIT_REF_NOT_FOUND,
            f"The repository has no branch, tag or commit {shown!r}.{hint}",
        )

    def close_to(self, ref: str, count: int = 5) -> list[str]:
        """Up to `count` names that the user may have meant, the closest first."""
        by_lower = {name.lower(): name for name in self.names}
        wanted = ref.lower()
        inside = [lower for lower in by_lower if wanted and wanted in lower.split("/")]
        alike = difflib.get_close_matches(wanted, _bounded(by_lower), n=count, cutoff=0.6)
        chosen = list(dict.fromkeys([*alike, *inside]))[:count]
        return [by_lower[lower] for lower in chosen]

    def _short(self, sha: str) -> Target:
        matches = {full for full in self.listed.values() if full.startswith(sha)}
        if len(matches) == 1:
            return Target(RefKind.COMMIT, matches.pop())
        return Target(RefKind.COMMIT, sha, short=True)


def well_formed(ref: str) -> bool:
    """Whether git itself would accept this as a ref's name."""
    return len(ref) < 1000 and _FORBIDDEN.search(ref) is None


def _bounded(names: Iterable[str]) -> list[str]:
    # Comparing is quadratic in the names' length; a user does not wait for 100,000 of them.
    return [name for _, name in zip(range(20_000), names, strict=False)]
