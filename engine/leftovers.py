"""Images that a worker left on its engine when it was killed, and the engine's cache."""

import re

from engine import metrics
from engine.pipeline import built_names
from engine.services import Services
from models import RUNNING, Build, Image
from models.enums import BuildStatus


async def remove_images(services: Services) -> None:
    """Remove what builds have left under their names, once their claim is over.

    Raises BuildFailed when the engine does not answer.
    """
    prefix = built_names(services.settings)
    pattern = re.compile(re.escape(prefix) + r"(?P<id>\d+):(?P<fence>\d+)")
    for image in await services.docker.named(f"{prefix}*"):
        for name in image.references:
            if (named := pattern.fullmatch(name)) and not await _is_claimed(named):
                await _remove(services, int(named["id"]), name, image.references)


async def _remove(services: Services, build_id: int, name: str, names: tuple[str, ...]) -> None:
    made = await Image.get_or_none(builds__id=build_id)
    pushing = Build.filter(image_id=made.id if made else 0, status=BuildStatus.PUSHING)
    # Killed in the middle of a push, it also has the name that it was pushed under.
    if made and made.reference in names and not await pushing.exists():
        await services.docker.remove_image(made.reference)
    await services.docker.remove_image(name)
    metrics.housekeeping_removed.labels("engine images").inc()


async def _is_claimed(named: re.Match[str]) -> bool:
    claim = Build.filter(id=int(named["id"]), fence=int(named["fence"]))
    return await claim.filter(status__in=(*RUNNING, BuildStatus.CANCELING)).exists()
