"""Base images that the author of a build may not see: to them, there are none.

Darkroom pulls with its own account, which may read everything in the registry; without this, a
`FROM` would open every private image to everybody who can guess its name.
"""

from typing import Any

from tortoise.expressions import Q

from engine import reading_rights
from engine.errors import BuildFailed, Forbidden
from engine.job import Job
from engine.push_policy import Author
from engine.reference import Reference
from models import Build, Image
from models.enums import FailureCode, Visibility


async def refuse_hidden(job: Job, name: str, reference: Reference) -> None:
    """Raise BuildFailed for what the author may not read, and for another's private image.

    The latter as for one that there is not.
    """
    if reference.registry != job.services.settings.registry:
        return
    try:
        reading_rights.check(job.services.settings, reference.repository, Author.of(job.build))
    except Forbidden as error:
        message = f"The base image {name} is not yours to use. {error.message}"
        raise BuildFailed(FailureCode.BASE_DENIED, message) from None
    if await _is_hidden(job, reference):
        message = f"There is no base image {name}. Check its name and tag."
        raise BuildFailed(FailureCode.BASE_NOT_FOUND, message)


async def _is_hidden(job: Job, reference: Reference) -> bool:
    """By the tag, or by the digest of any build that was pushed to the repository."""
    hidden = Image.filter(repository=reference.repository, visibility=Visibility.PRIVATE)
    hidden = hidden.exclude(owner=job.build.created_by)
    if reference.digest is None:
        return await hidden.filter(registry_tag=reference.tag or "latest").exists()
    built = Build.filter(digest=reference.digest, image__repository=reference.repository)
    ids: Any = await built.values_list("image_id", flat=True)
    return await hidden.filter(Q(digest=reference.digest) | Q(id__in=ids)).exists()
