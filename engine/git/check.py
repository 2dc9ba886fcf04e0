"""Looking at a git source while the user waits: what is certainly wrong, field by field.

Nothing is claimed that was not seen: a server that is slow, down or unable to answer yields no
problem, since the build itself will find out.
"""

import asyncio

from engine.errors import BuildFailed, FieldProblem
from engine.git.address import AddressRefused
from engine.git.listing import Listing, list_commit
from engine.git.pointed import with_place
from engine.git.policy import GitPolicy
from engine.git.repository import open_repository
from engine.git.request import GitRequest
from engine.git.tree import dockerfile_missing, relative_place
from models.enums import FailureCode


async def check(request: GitRequest, policy: GitPolicy) -> list[FieldProblem]:
    """The problems found within `policy.check_seconds`, by the API's names of the fields."""
    problems = [*_places(request)]
    try:
        async with asyncio.timeout(policy.check_seconds), open_repository(request, policy) as found:
            target = found.target(request.ref)
            if found.remote.filters and not problems:
                listing = await list_commit(found.git, found.remote, target, found.refs)
                place = found.place(request.ref)
                completed = with_place(request, place, listing.files.__contains__)
                problems += _contents(completed, listing)
    except TimeoutError:
        pass
    except AddressRefused as refused:
        problems.append(FieldProblem("url", refused.message))
    except BuildFailed as failure:
        if field := _field(failure.code, request):
            problems.append(FieldProblem(field, failure.message))
    return problems


def _field(code: FailureCode, request: GitRequest) -> str | None:
    match code:
        case FailureCode.GIT_AUTH:
            return "token" if request.token else "url"
        case FailureCode.GIT_NOT_FOUND:
            return "url"
        case FailureCode.GIT_REF_NOT_FOUND:
            return "ref"
    return None


def _places(request: GitRequest) -> list[FieldProblem]:
    problems = []
    given = {"dockerfilePath": request.dockerfile_path, "contextPath": request.context_path}
    for field, path in given.items():
        try:
            relative_place(path, field)
        except BuildFailed as failure:
            problems.append(FieldProblem(field, failure.message))
    return problems


def _contents(request: GitRequest, listing: Listing) -> list[FieldProblem]:
    problems = []
    context = relative_place(request.context_path, "contextPath")
    if listing.surely_lacks_directory(context):
        message = f"The repository has no directory {str(context)!r}."
        problems.append(FieldProblem("contextPath", message))
    place = relative_place(request.dockerfile_path, "dockerfilePath")
    if listing.surely_lacks_file(place) and listing.surely_lacks_file(context / place):
        missing = dockerfile_missing(place, listing.dockerfiles)
        problems.append(FieldProblem("dockerfilePath", missing.message))
    return problems
