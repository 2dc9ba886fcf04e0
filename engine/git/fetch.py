"""From a request to a working tree."""

import asyncio
from pathlib import Path

from engine.errors import BuildFailed
from engine.git.address import AddressRefused
from engine.git.policy import GitPolicy
from engine.git.progress import Say
from engine.git.repository import open_repository
from engine.git.request import GitFetch, GitRequest
from engine.git.submodules import Level, fetch_submodules
from engine.git.workspace import emptied_on_failure
from models.enums import FailureCode


async def fetch(request: GitRequest, policy: GitPolicy, into: Path, say: Say) -> GitFetch:
    """Put the files of one commit into `into`, an empty directory, without a `.git`.

    Raises BuildFailed GIT_AUTH, GIT_NOT_FOUND, GIT_REF_NOT_FOUND, GIT_UNREACHABLE,
    CONTEXT_TOO_LARGE or CONTEXT_INVALID; on any failure and on cancel `into` is left empty.
    """
    try:
        async with asyncio.timeout(policy.timeout), emptied_on_failure(into):
            return await _fetch(request, policy, into, say)
    except AddressRefused as refused:
        raise BuildFailed(FailureCode.GIT_NOT_FOUND, refused.message) from None
    except TimeoutError:
        raise BuildFailed(
            FailureCode.GIT_UNREACHABLE,
            f"Fetching the repository took longer than the limit, {policy.timeout:g} s.",
        ) from None


async def _fetch(request: GitRequest, policy: GitPolicy, into: Path, say: Say) -> GitFetch:
    async with open_repository(request, policy, into.parent) as repository:
        target = repository.target(request.ref)
        await say(f"Fetching the {target.kind} {target.shown} of {repository.remote.url}.")
        unpacked = await repository.unpack(target, into, say)
        await fetch_submodules(Level(request, repository, unpacked, into), say)
        place = repository.place(request.ref)
    commit, manifest = unpacked.commit, unpacked.manifest
    await say(f"Commit {commit.sha}: {manifest.files:,} files, {manifest.size / 1e6:,.1f} MB.")
    return GitFetch(commit, target.kind, target.name, manifest.files, manifest.size, place)
