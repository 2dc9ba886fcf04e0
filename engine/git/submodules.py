"""Submodules, where the operator wants them: each is a repository that the guard sees first.

`git submodule update` would resolve and follow addresses by itself, so the walk is done here. A
token goes to submodules on the same server only.
"""

from dataclasses import dataclass, replace
from pathlib import Path
from urllib.parse import urljoin, urlsplit

from engine.errors import BuildFailed, EngineError
from engine.git.address import AddressRefused
from engine.git.manifest import remaining
from engine.git.progress import Say
from engine.git.repository import Repository, Unpacked, open_repository
from engine.git.request import GitRequest
from models.enums import FailureCode

_DEEPEST = 5
_MOST = 200


@dataclass(frozen=True, slots=True)
class Level:
    """A repository that was unpacked, and where: the directories of its submodules are empty."""

    request: GitRequest
    repository: Repository
    unpacked: Unpacked
    into: Path
    depth: int = 0


async def fetch_submodules(level: Level, say: Say) -> None:
    """Fill the directories of submodules, or say that they stay empty. Adds to the manifest.

    Raises BuildFailed, naming the submodule.
    """
    wanted = level.unpacked.manifest.gitlinks
    if not wanted:
        return
    if not level.repository.git.policy.submodules:
        await say(f"Submodules, which this service does not fetch: {len(wanted)}. They stay empty.")
        return
    if level.depth >= _DEEPEST or len(wanted) > _MOST:
        raise BuildFailed(FailureCode.CONTEXT_TOO_LARGE, "There are too many submodules.")
    urls = await _urls(level)
    for path, sha in wanted.items():
        if path not in urls:
            await say(f"The submodule {path} has no address in .gitmodules: it stays empty.")
            continue
        await say(f"Fetching the submodule {path}.")
        try:
            await _fetch_one(level, path, _request(level, urls[path], sha), say)
        except (BuildFailed, AddressRefused) as error:
            raise _named(path, error) from None


async def _fetch_one(level: Level, path: str, request: GitRequest, say: Say) -> None:
    total = level.unpacked.manifest
    left = remaining(level.repository.git, total).policy
    place = level.into / path
    async with open_repository(request, left, level.repository.git.home) as repository:
        found = await repository.unpack(repository.target(request.ref), place, say)
        await fetch_submodules(Level(request, repository, found, place, level.depth + 1), say)
    total.files += found.manifest.files
    total.size += found.manifest.size


def _named(path: str, error: EngineError) -> BuildFailed:
    code = error.code if isinstance(error, BuildFailed) else FailureCode.GIT_NOT_FOUND
    return BuildFailed(code, f"The submodule {path}: {error.message}")


def _request(level: Level, url: str, sha: str) -> GitRequest:
    base = level.repository.remote.url
    address = urljoin(f"{base}/", url) if url.startswith(("./", "../")) else url
    # The remote's own credentials: a redirect to another server has dropped them already.
    same = urlsplit(address)[:2] == urlsplit(base)[:2] and level.repository.remote.credentials
    return replace(level.request, url=address, ref=sha, token=level.request.token if same else None)


async def _urls(level: Level) -> dict[str, str]:
    """From a submodule's path to its address, as `.gitmodules` has them."""
    blob = f"--blob={level.unpacked.commit.sha}:.gitmodules"
    try:
        listed = await level.repository.git.output("config", "--null", blob, "--list")
    except BuildFailed:  # there is no such file, or it cannot be read
        return {}
    sections: dict[str, dict[str, str]] = {}
    for item in listed.decode(errors="surrogateescape").split("\0"):
        key, _, value = item.partition("\n")
        section, _, name = key.rpartition(".")
        sections.setdefault(section, {})[name] = value
    return {s["path"]: s["url"] for s in sections.values() if "path" in s and "url" in s}
