"""Large files that git keeps elsewhere (Git LFS), where the operator wants them.

The batch API (git-lfs/docs/api/batch.md) is spoken here instead of by `git-lfs`, so that every
address which the server hands out passes the guard, and each file is checked by size and SHA-256
before it takes its pointer's place.
"""

import asyncio
import hashlib
import json
import os
import re
from collections.abc import Iterable, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any, BinaryIO

import aiohttp

from engine.errors import BuildFailed
from engine.git.address import AddressRefused
from engine.git.failures import too_large, unreachable
from engine.git.guard import admit
from engine.git.http import pinned_session
from engine.git.manifest import Manifest, records, remaining
from engine.git.policy import GitPolicy
from engine.git.program import Git
from engine.git.progress import Say
from engine.git.remote import Remote
from models.enums import FailureCode

_POINTER = re.compile(
    rb"version https://git-lfs\.github\.com/spec/v1\n(?:ext-.*\n)*"
    rb"oid sha256:(?P<oid>[0-9a-f]{64})\nsize (?P<size>\d{1,18})\n"
)
_LARGEST_POINTER = 1024
_BATCH = 100
_MEDIA = "application/vnd.git-lfs+json"
_CHUNK = 1 << 20


@dataclass(frozen=True, slots=True)
class _Pointer:
    path: Path
    oid: str
    size: int


async def fetch_large_files(
    git: Git, remote: Remote, manifest: Manifest, into: Path, say: Say
) -> int:
    """Replace pointers by their files, or say that they stay pointers; returns the bytes added.

    Raises BuildFailed GIT_NOT_FOUND, GIT_UNREACHABLE, CONTEXT_TOO_LARGE.
    """
    pointers = await _pointers(git, into)
    if not pointers:
        return 0
    if not git.policy.lfs:
        await say(f"Files in Git LFS, which this service does not fetch: {len(pointers)}.")
        return 0
    total = sum(pointer.size for pointer in pointers)
    if total > remaining(git, manifest).policy.max_bytes:
        raise too_large(f"{total / 1e6:,.0f} MB in Git LFS")
    await say(f"Fetching from Git LFS: {len(pointers)} files, {total / 1e6:,.1f} MB.")
    for start in range(0, len(pointers), _BATCH):
        await _fetch_batch(git.policy, remote, pointers[start : start + _BATCH])
    return total


async def _pointers(git: Git, into: Path) -> list[_Pointer]:
    paths = []
    tracked = ("ls-files", "-z", "--", ":(attr:filter=lfs)")
    async with git.stream(f"--work-tree={into}", "-C", str(into), *tracked) as chunks:
        async for record in records(chunks):
            paths.append(into / os.fsdecode(record))  # noqa: PERF401  # an async generator
    return await asyncio.to_thread(_read_pointers, paths)


def _read_pointers(paths: Iterable[Path]) -> list[_Pointer]:
    found = []
    for path in paths:
        if path.is_symlink() or not path.is_file() or path.stat().st_size > _LARGEST_POINTER:
            continue
        if match := _POINTER.fullmatch(path.read_bytes()):
            found.append(_Pointer(path, match["oid"].decode(), int(match["size"])))
    return found


async def _fetch_batch(policy: GitPolicy, remote: Remote, pointers: Sequence[_Pointer]) -> None:
    by_oid: dict[str, list[_Pointer]] = {}
    for pointer in pointers:
        by_oid.setdefault(pointer.oid, []).append(pointer)
    try:
        actions = await _ask(policy, remote, by_oid)
        for oid, same in by_oid.items():
            href, headers = actions[oid]
            for pointer in same:
                await _download(policy, href, headers, pointer)
    except (aiohttp.ClientError, TimeoutError) as error:
        raise unreachable(remote.endpoint.host, f"Git LFS, {type(error).__name__}") from None
    except (KeyError, TypeError, ValueError, AttributeError):
        raise unreachable(remote.endpoint.host, "Git LFS answers with something else") from None


async def _ask(
    policy: GitPolicy, remote: Remote, by_oid: Mapping[str, Sequence[_Pointer]]
) -> dict[str, tuple[str, dict[str, str]]]:
    """From each object's id to where it is, and the headers to send there."""
    base = remote.url if remote.url.endswith(".git") else f"{remote.url}.git"
    headers = {"Accept": _MEDIA, "Content-Type": _MEDIA}
    if remote.credentials:
        headers["Authorization"] = remote.credentials.header
    objects = [{"oid": oid, "size": same[0].size} for oid, same in by_oid.items()]
    question = {"operation": "download", "transfers": ["basic"], "objects": objects}
    timeout = aiohttp.ClientTimeout(total=policy.stall_seconds)
    async with (
        pinned_session(remote.endpoint, policy, timeout) as session,
        session.post(
            f"{base}/info/lfs/objects/batch",
            data=json.dumps(question),
            headers=headers,
            allow_redirects=False,
        ) as response,
    ):
        if response.status != 200:
            raise BuildFailed(
                FailureCode.GIT_AUTH
                if response.status in {401, 403}
                else FailureCode.GIT_NOT_FOUND,
                f"Git LFS refuses to list the large files: HTTP status {response.status}.",
            )
        answer = json.loads(await response.content.read(16 << 20))
    return dict(_action(entry) for entry in answer["objects"])


def _action(entry: Mapping[str, Any]) -> tuple[str, tuple[str, dict[str, str]]]:
    if "error" in entry or "download" not in entry.get("actions", {}):
        raise BuildFailed(
            FailureCode.GIT_NOT_FOUND, f"Git LFS does not have the object {str(entry['oid'])[:64]}."
        )
    download = entry["actions"]["download"]
    headers = {str(key): str(value) for key, value in download.get("header", {}).items()}
    return entry["oid"], (str(download["href"]), headers)


async def _download(
    policy: GitPolicy, href: str, headers: Mapping[str, str], pointer: _Pointer
) -> None:
    if not href.startswith(("https://", "http://")):
        raise AddressRefused("Git LFS hands out an address that is neither https nor http.")
    endpoint = await admit(href, policy)
    timeout = aiohttp.ClientTimeout(
        sock_connect=policy.connect_seconds, sock_read=policy.stall_seconds
    )
    async with (
        pinned_session(endpoint, policy, timeout) as session,
        session.get(href, headers=headers, allow_redirects=False) as response,
    ):
        if response.status != 200:
            raise unreachable(endpoint.host, f"Git LFS, HTTP status {response.status}")
        await _replace(pointer, response.content)


async def _replace(pointer: _Pointer, content: aiohttp.StreamReader) -> None:
    """Write beside the pointer, check, and take its place."""
    beside = pointer.path.with_name(f".{pointer.oid}.part")
    digest, size = hashlib.sha256(), 0
    try:
        with await asyncio.to_thread(beside.open, "xb") as file:
            async for chunk in content.iter_chunked(_CHUNK):
                size += len(chunk)
                if size > pointer.size:
                    break
                await asyncio.to_thread(_write, file, chunk, digest)
        if (digest.hexdigest(), size) != (pointer.oid, pointer.size):
            raise BuildFailed(
                FailureCode.GIT_UNREACHABLE,
                f"Git LFS sent something else than {pointer.path.name} says it is.",
            )
        beside.chmod(pointer.path.stat().st_mode & 0o777)
        beside.replace(pointer.path)
    finally:
        with suppress(FileNotFoundError):
            beside.unlink()


def _write(file: BinaryIO, chunk: bytes, digest: "hashlib._Hash") -> None:
    file.write(chunk)
    digest.update(chunk)
