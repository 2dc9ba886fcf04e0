"""A repository that answered: what it lists, and its commits as files."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from pathlib import Path

from engine.git.address import GitAddress, parse_address, split_tail
from engine.git.checkout import check_out, describe
from engine.git.credentials import Credentials
from engine.git.failures import unreachable
from engine.git.lfs import fetch_large_files
from engine.git.manifest import Manifest, read_manifest
from engine.git.policy import GitPolicy
from engine.git.program import Git
from engine.git.progress import Progress, Say
from engine.git.receive import choose, list_refs, receive
from engine.git.refs import Refs, Target
from engine.git.remote import Remote, reach
from engine.git.request import GitCommit, GitRequest
from engine.git.workspace import private_directory


@dataclass(frozen=True, slots=True)
class Unpacked:
    """What was written for one commit."""

    commit: GitCommit
    manifest: Manifest


@dataclass(frozen=True, slots=True)
class Repository:
    """Open while its temporary directory lives; unpack one commit of it."""

    git: Git
    remote: Remote
    address: GitAddress
    refs: Refs

    def target(self, ref: str) -> Target:
        """What to fetch for a name. Raises BuildFailed GIT_REF_NOT_FOUND."""
        return choose(ref, self.address, self.refs)

    def place(self, ref: str) -> str:
        """The path within the repository that the address points at; empty for all of it."""
        if not self.address.tail:
            return ""
        known = [*self.refs.names, ref] if ref else self.refs.names
        return split_tail(self.address.tail, known)[1]

    async def unpack(self, target: Target, into: Path, say: Say) -> Unpacked:
        """Fetch the target's commit and write its files, once they are known to fit the limits."""
        sha = await receive(self.git, self.remote, target, self.refs, on_line=Progress(say))
        manifest = await read_manifest(self.git, sha)
        await check_out(self.git, sha, manifest, into, say)
        if manifest.attributes:
            manifest.size += await fetch_large_files(self.git, self.remote, manifest, into, say)
        return Unpacked(await describe(self.git, sha), manifest)


@asynccontextmanager
async def open_repository(
    request: GitRequest, policy: GitPolicy, parent: Path | None = None
) -> AsyncIterator[Repository]:
    """Find a repository and list its refs. Temporary files live in `parent` meanwhile.

    Raises AddressRefused, and BuildFailed GIT_AUTH, GIT_NOT_FOUND or GIT_UNREACHABLE.
    """
    address = parse_address(request.url, allow_ssh=policy.allow_ssh)
    credentials = Credentials.of(request.token_name, request.token)
    remote = await reach(address.clone_url, credentials, policy)
    async with private_directory(parent) as home:
        git = Git(home, policy, remote.endpoint, remote.credentials)
        yield Repository(git, remote, address, await _listed(git, remote))


async def _listed(git: Git, remote: Remote) -> Refs:
    # Long lists take long; a server that is silent is given up sooner by the transport.
    seconds = git.policy.stall_seconds
    try:
        async with asyncio.timeout(seconds):
            return await list_refs(git, remote)
    except TimeoutError:
        detail = f"no list of branches in {seconds:g} seconds"
        raise unreachable(remote.endpoint.host, detail) from None
