"""A Dockerfile in a git repository."""

import asyncio
import shutil
from pathlib import Path

from engine.errors import BuildFailed
from engine.git.check import check
from engine.git.fetch import fetch as fetch_commit
from engine.git.pointed import with_place
from engine.git.request import GitCommit, GitRequest
from engine.git.tree import context_directory, find_dockerfile
from engine.images import Making
from engine.job import Job
from engine.sealing import SealBroken
from engine.services import Services
from engine.sources import Fetched
from models.enums import FailureCode, Origin

OUTSIDE = ".darkroom.Dockerfile"


async def make(
    services: Services,
    *,
    name: str,
    url: str,
    ref: str,
    token_name: str | None,
    token: str | None,
    dockerfile_path: str,
    context_path: str,
) -> Making:
    """What to put on record for a git repository, and what is wrong with it.

    The server is asked a quick question; one that does not answer lets the build find out.
    """
    request = GitRequest(
        url=url,
        ref=ref,
        token_name=token_name,
        token=token,
        dockerfile_path=dockerfile_path,
        context_path=context_path,
    )
    problems = await check(request, services.git_policy)
    source = {
        "url": url,
        "ref": ref,
        "tokenName": token_name,
        "dockerfilePath": dockerfile_path,
        "contextPath": context_path,
    }
    sealed = seal(services, name, token or "")
    return Making(Origin.GIT, source, sealed_token=sealed, problems=problems)


async def fetch(job: Job) -> Fetched:
    """Bring one commit onto the disk. Raises BuildFailed."""
    source, services = job.image.source, job.services
    tree = job.folder / "tree"
    await asyncio.to_thread(tree.mkdir)
    request = GitRequest(
        url=source["url"],
        ref=source["ref"],
        token_name=source["tokenName"],
        token=_token(job),
        dockerfile_path=source["dockerfilePath"],
        context_path=source["contextPath"],
    )
    found = await fetch_commit(request, services.git_policy, tree, job.say)
    if found.place:
        await job.say(f"The address points at {found.place} in the repository.")
    request = with_place(request, found.place, lambda path: (tree / path).is_file())
    directory = await asyncio.to_thread(context_directory, tree, request.context_path)
    dockerfile = await asyncio.to_thread(find_dockerfile, tree, directory, request.dockerfile_path)
    if dockerfile.remark:
        await job.say(dockerfile.remark)
    path = await asyncio.to_thread(_within, directory, dockerfile.path)
    return Fetched(directory, path, commit=_record_of(found.commit))


def _token(job: Job) -> str | None:
    sealed = job.image.sealed_token
    if not sealed:
        return None
    try:
        return job.services.sealer.open(sealed, about(job.image.name))
    except SealBroken as broken:
        raise BuildFailed(FailureCode.GIT_AUTH, broken.message) from broken


def _within(directory: Path, dockerfile: Path) -> str:
    """The Dockerfile's path in the context; one that lies outside is copied into it.

    Docker's own client does the same for a Dockerfile that is not in the context.
    """
    if dockerfile.is_relative_to(directory):
        return str(dockerfile.relative_to(directory))
    shutil.copyfile(dockerfile, directory / OUTSIDE)
    ignored = dockerfile.with_name(dockerfile.name + ".dockerignore")
    if ignored.is_file() and not ignored.is_symlink():
        shutil.copyfile(ignored, directory / f"{OUTSIDE}.dockerignore")
    return OUTSIDE


def _record_of(commit: GitCommit) -> dict[str, str]:
    return {
        "sha": commit.sha,
        "author": commit.author,
        "message": commit.message,
        "committed_at": commit.committed_at.isoformat(),
    }


def seal(services: Services, name: str, token: str) -> str | None:
    """A token as it is kept; it opens again for the image of this name alone."""
    return services.sealer.seal(token, about=about(name)) if token else None


def about(name: str) -> str:
    """What a sealed token is bound to."""
    return f"image:{name}"
