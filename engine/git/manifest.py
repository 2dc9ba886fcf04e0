"""What a commit holds, read from its trees before a single file is written.

Trees can be nested so that a few kilobytes unfold to billions of files: reading stops at the limit.
"""

from collections.abc import AsyncIterator
from dataclasses import dataclass, field, replace
from os import fsdecode

from engine.git.failures import too_large
from engine.git.program import Git

_LINK, _GITLINK = b"120000", b"160000"


@dataclass(slots=True)
class Manifest:
    """Counts, and the few entries that need a second look. Sizes are in bytes."""

    files: int = 0
    size: int = 0
    links: list[str] = field(default_factory=list)
    gitlinks: dict[str, str] = field(default_factory=dict)
    """Submodules: the path, and the commit that belongs there."""
    attributes: bool = False
    """Whether there is any `.gitattributes`."""


async def read_manifest(git: Git, sha: str) -> Manifest:
    """List a commit's files. Raises BuildFailed CONTEXT_TOO_LARGE."""
    manifest = Manifest()
    policy = git.policy
    async with git.stream("ls-tree", "-r", "-z", "-l", "--full-tree", sha) as chunks:
        async for record in records(chunks):
            _add(manifest, record)
            if manifest.files > policy.max_files:
                raise too_large(f"more than {policy.max_files:,} files")
            if manifest.size > policy.max_bytes:
                raise too_large(f"more than {policy.max_bytes / 1e6:,.0f} MB of files")
    return manifest


async def records(chunks: AsyncIterator[bytes]) -> AsyncIterator[bytes]:
    """What `-z` separates."""
    rest = b""
    async for chunk in chunks:
        *complete, rest = (rest + chunk).split(b"\0")
        for record in complete:
            yield record


def remaining(git: Git, manifest: Manifest) -> Git:
    """The same program with what is left of the limits."""
    policy = git.policy
    left = replace(
        policy,
        max_bytes=max(0, policy.max_bytes - manifest.size),
        max_files=max(0, policy.max_files - manifest.files),
    )
    return replace(git, policy=left)


def _add(manifest: Manifest, record: bytes) -> None:
    meta, _, raw = record.partition(b"\t")
    mode, _, sha, size = meta.split()
    path = fsdecode(raw)
    manifest.files += 1
    if mode == _GITLINK:
        manifest.gitlinks[path] = sha.decode()
        return
    manifest.size += int(size)
    if mode == _LINK:
        manifest.links.append(path)
    elif path.rpartition("/")[2] == ".gitattributes":
        manifest.attributes = True
