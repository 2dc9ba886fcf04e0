"""Who may see what, and who may change it. Every resolver asks here."""

from tortoise.expressions import Q

from models import Image
from models.enums import Visibility
from schema.context import Viewer


def visible(viewer: Viewer, prefix: str = "") -> Q:
    """The images that the viewer may see, as a filter; `prefix` leads to the image."""
    if viewer.admin:
        return Q()
    return Q(**{f"{prefix}visibility": Visibility.PUBLIC}) | Q(**{f"{prefix}owner": viewer.name})


def may_see(viewer: Viewer, image: Image) -> bool:
    """Whether the viewer may see the image; a private one exists for its owner alone."""
    return image.visibility is Visibility.PUBLIC or may_change(viewer, image)


def may_change(viewer: Viewer, image: Image) -> bool:
    """Whether the viewer may change, rebuild and delete the image."""
    return viewer.admin or image.owner == viewer.name
