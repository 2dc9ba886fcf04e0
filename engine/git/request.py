"""What is asked of git, and what comes back."""

from dataclasses import dataclass, field
from datetime import datetime

from engine.git.refs import RefKind


@dataclass(frozen=True, slots=True, kw_only=True)
class GitRequest:
    """One repository at one ref. Without `ref`, the one in the address, or the default branch."""

    url: str
    ref: str = ""
    token_name: str | None = None
    token: str | None = field(default=None, repr=False)
    dockerfile_path: str = "Dockerfile"
    context_path: str = "/"


@dataclass(frozen=True, slots=True)
class GitCommit:
    """The commit that a build uses; `committed_at` is in UTC."""

    sha: str
    author: str
    message: str
    committed_at: datetime


@dataclass(frozen=True, slots=True)
class GitFetch:
    """What was fetched: `ref` is the full name of a branch or tag, or a commit's id.

    `place` is the path within the repository that the address points at; empty for all of it.
    """

    commit: GitCommit
    kind: RefKind
    ref: str
    files: int
    size: int
    place: str = ""
