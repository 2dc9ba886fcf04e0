"""A Dockerfile in a git repository."""

import asyncio

from engine.errors import FieldProblem
from engine.git import GitRequest, check, context_directory, fetch_repository
from engine.images import Making
from engine.job import Job
from engine.services import Services
from engine.sources import Fetched
from models.enums import Origin


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
        "token_name": token_name,
        "dockerfile_path": dockerfile_path,
        "context_path": context_path,
    }
    sealed = seal(services, name, token or "")
    return Making(Origin.GIT, source, sealed_token=sealed, problems=problems)


def seal(services: Services, name: str, token: str) -> str | None:
    """A token as it is kept; it opens again for the image of this name alone."""
    return services.sealer.seal(token, about=about(name)) if token else None


def about(name: str) -> str:
    """What a sealed token is bound to."""
    return f"image:{name}"
