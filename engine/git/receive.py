"""Getting one commit into an empty repository, and as little else as the server lets one."""

import asyncio
import os
from collections.abc import Coroutine
from dataclasses import replace
from pathlib import Path

from engine.errors import BuildFailed
from engine.git.address import GitAddress, split_tail
from engine.git.failures import ShaRefused, too_large
from engine.git.finishing import in_full
from engine.git.program import Git, OnLine, silent
from engine.git.refs import Refs, Target
from engine.git.remote import Remote
from models.enums import FailureCode

_MINE = "refs/darkroom/target"
_EVERYTHING = ("+refs/heads/*:refs/darkroom/heads/*", "+refs/tags/*:refs/darkroom/tags/*")
_MOST_LISTED = 64 << 20
_LOOK_EVERY = 0.25


async def list_refs(git: Git, remote: Remote) -> Refs:
    """The server's branches and tags."""
    arguments = ("ls-remote", "--quiet", "--heads", "--tags", "--", remote.url)
    return Refs.parse(await git.output(*arguments, network=True, limit=_MOST_LISTED))


def choose(ref: str, address: GitAddress, refs: Refs) -> Target:
    """What the user named; without a name, what the address points at, or the default branch.

    Raises BuildFailed GIT_REF_NOT_FOUND.
    """
    if not ref and address.tail:
        ref, _ = split_tail(address.tail, refs.names)
    return refs.find(ref)


async def receive(
    git: Git,
    remote: Remote,
    target: Target,
    refs: Refs,
    *,
    on_line: OnLine = silent,
    leave_out: str | None = None,
) -> str:
    """Fetch the target's commit without its history; returns the commit's full id.

    `leave_out` is a filter of a partial clone, such as `blob:none`, for servers that know it.

    Raises BuildFailed: GIT_REF_NOT_FOUND, GIT_AUTH, GIT_UNREACHABLE, CONTEXT_TOO_LARGE.
    """
    await _create(git, refs)
    if target.short:
        target = replace(target, name=await _complete(git, remote, target.name, refs, on_line))
    refspec = f"+{target.name}:{_MINE}"
    try:
        await _fetch(git, remote, refspec, on_line=on_line, depth=1, leave_out=leave_out)
        wanted = _MINE
    except ShaRefused:
        # An old server: the commit has to be found in the history of what it does give out.
        await _fetch(git, remote, *_EVERYTHING, on_line=on_line, leave_out=leave_out)
        wanted = target.name
    except BuildFailed as failure:
        if failure.code is FailureCode.GIT_REF_NOT_FOUND:
            raise refs.missing(target.name) from None
        raise
    return await _commit_id(git, wanted, target.name, refs)


async def _fetch(
    git: Git,
    remote: Remote,
    *refspecs: str,
    on_line: OnLine,
    depth: int | None = None,
    leave_out: str | None = None,
) -> None:
    """`git fetch`, within the limit of bytes. `leave_out` is a filter of a partial clone."""
    arguments = ["fetch", "--progress", "--no-tags", "--no-write-fetch-head"]
    if depth:
        arguments.append(f"--depth={depth}")
    if leave_out and remote.filters:
        arguments.append(f"--filter={leave_out}")
    arguments += ["--", remote.url, *refspecs]
    await _within(git, git.talk(*arguments, on_line=on_line))


async def _create(git: Git, refs: Refs) -> None:
    git.home.mkdir(exist_ok=True)
    await git.output(
        "init", "--bare", "--quiet", "--template=", f"--object-format={refs.object_format}"
    )


async def _complete(git: Git, remote: Remote, short: str, refs: Refs, on_line: OnLine) -> str:
    """The full id of a commit, found among all; trees and files are left out if possible."""
    search = replace(git, home=git.home / "search")
    await _create(search, refs)
    await _fetch(search, remote, *_EVERYTHING, on_line=on_line, leave_out="tree:0")
    return await _commit_id(search, short, short, refs)


async def _commit_id(git: Git, name: str, shown: str, refs: Refs) -> str:
    try:
        found = await git.output(
            "rev-parse", "--verify", "--quiet", "--end-of-options", f"{name}^{{commit}}"
        )
    except BuildFailed:
        # Nothing was found, or more than one; a name that came from the list is no commit at all.
        raise refs.missing(shown.removeprefix("refs/heads/").removeprefix("refs/tags/")) from None
    return found.decode().strip()


async def _within(git: Git, work: Coroutine[None, None, None]) -> None:
    """Run a fetch, and end it once it has stored more than the limit."""
    task = asyncio.ensure_future(work)
    try:
        while not task.done():
            await asyncio.wait({task}, timeout=_LOOK_EVERY)
            if _stored(git.home / "repository.git") > git.policy.max_bytes:
                raise too_large(f"more than {git.policy.max_bytes / 1e6:,.0f} MB to transfer")
        await task
    finally:
        task.cancel()
        await in_full(asyncio.wait({task}))


def _stored(repository: Path) -> int:
    """Bytes of packs, finished or not: a handful of files, which is quick enough for the loop."""
    try:
        with os.scandir(repository / "objects" / "pack") as entries:
            return sum(entry.stat().st_size for entry in entries)
    except FileNotFoundError:
        return 0
