"""Which repositories a user may push to or read, by patterns with their name and groups."""

import re
from dataclasses import dataclass
from enum import Enum
from typing import Any

from models import Build

# One part of a repository's name (OCI distribution): what else a user may be called names none.
_PART = re.compile(r"[a-z0-9]+(?:(?:\.|_|__|-+)[a-z0-9]+)*")
_MARK = re.compile(r"\*\*|\*|\{user\}|\{group\}")
_CREATE_ONLY = "=create"


class Verdict(Enum):
    """What a user may do with a repository."""

    DENIED = 0
    CREATE = 1  # new tags, but never overwrite what the registry holds already
    OVERWRITE = 2


@dataclass(frozen=True, slots=True)
class Author:
    """Who pushes or reads."""

    name: str
    groups: frozenset[str]
    admin: bool

    @classmethod
    def of(cls, build: Build) -> "Author":
        """Who asked for a build, as they were then."""
        known = build.created_as or {}
        return cls(build.created_by, frozenset(known.get("groups", ())), known.get("admin", False))

    @property
    def record(self) -> dict[str, Any]:
        """What a build keeps of them besides their name."""
        return {"groups": sorted(self.groups), "admin": self.admin}


@dataclass(frozen=True, slots=True)
class PushPolicy:
    """Patterns, each with `=create` behind it or without. The most generous that fits counts."""

    patterns: tuple[str, ...]

    def judge(self, repository: str, author: Author) -> Verdict:
        """What the author may do with this repository."""
        if author.admin:
            return Verdict.OVERWRITE
        verdicts = [
            Verdict.CREATE if pattern.endswith(_CREATE_ONLY) else Verdict.OVERWRITE
            for pattern in self.patterns
            if _fits(pattern.removesuffix(_CREATE_ONLY), repository, author)
        ]
        return max(verdicts, key=lambda verdict: verdict.value, default=Verdict.DENIED)

    def described(self, author: Author) -> str:
        """The patterns as this author may use them, for messages."""
        groups = sorted(filter(_PART.fullmatch, author.groups))
        shown = []
        for pattern in self.patterns:
            plain = pattern.removesuffix(_CREATE_ONLY).replace("{user}", author.name)
            several = [plain.replace("{group}", group) for group in groups]
            shown += several if "{group}" in plain else [plain]
        return ", ".join(f"`/{pattern}`" for pattern in dict.fromkeys(shown)) or "none"


def _fits(pattern: str, repository: str, author: Author) -> bool:
    groups = author.groups if "{group}" in pattern else {""}
    return any(
        re.fullmatch(_expression(pattern, author.name, group), repository) for group in groups
    )


def _expression(pattern: str, user: str, group: str) -> str:
    """The pattern as a regular expression; a name that is no part of a repository fits nothing."""
    values = {"**": ".*", "*": "[^/]*", "{user}": _literal(user), "{group}": _literal(group)}
    found, place = "", 0
    for mark in _MARK.finditer(pattern):
        found += re.escape(pattern[place : mark.start()]) + values[mark[0]]
        place = mark.end()
    return found + re.escape(pattern[place:])


def _literal(name: str) -> str:
    return re.escape(name) if _PART.fullmatch(name) else r"(?!)"
