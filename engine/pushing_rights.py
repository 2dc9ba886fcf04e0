"""Whether an image may be pushed where its author wants it, over what the registry may hold."""

import asyncio

from engine.errors import FieldProblem, Forbidden, InvalidInput
from engine.push_policy import Author, PushPolicy, Verdict
from engine.reference import ImageName
from engine.registry import RegistryError
from engine.services import Services
from models import Image

PATIENCE = 5.0  # seconds that creating waits for the registry's answer


def check_policy(services: Services, repository: str, author: Author) -> Verdict:
    """What the author may do there. Raises Forbidden when nothing."""
    policy = PushPolicy(services.settings.push_policy)
    verdict = policy.judge(repository, author)
    if verdict is Verdict.DENIED:
        raise Forbidden(
            f"You may not push to /{repository}. Yours to push to: {policy.described(author)}."
        )
    return verdict


async def check(services: Services, name: ImageName, author: Author, *, overwrite: bool) -> None:
    """Refuse what the policy forbids, and a tag that the registry holds but Darkroom does not know.

    Raises Forbidden and InvalidInput. A registry that does not answer is asked again at the push.
    """
    verdict = check_policy(services, name.repository, author)
    if overwrite and verdict is not Verdict.OVERWRITE:
        raise Forbidden(
            f"What /{name.repository} holds may not be overwritten. Leave `overwrite` out and "
            "choose a tag that is free."
        )
    if overwrite:
        return
    digest = await _held(services, name)
    if digest:
        raise InvalidInput([FieldProblem("overwrite", taken(name.name, digest))])


def taken(name: str, digest: str) -> str:
    """What to say of a tag that is somebody else's."""
    return (
        f"The registry holds {name} already, as {digest}, and Darkroom did not put it there. "
        "Choose another tag, or replace it with `overwrite: true`."
    )


async def _held(services: Services, name: ImageName) -> str | None:
    """What the tag points to in the registry now, where it answers."""
    try:
        async with asyncio.timeout(PATIENCE):
            return await services.registry.digest_under(name.repository, name.tag)
    except (RegistryError, TimeoutError):
        return None


async def is_ours(image: Image) -> bool:
    """Whether a build of this image was pushed under its name before."""
    return await Image.filter(id=image.id).exclude(digest=None).exists()
