"""Records by their global ids, as far as the viewer may see them."""

from engine.errors import Forbidden, NotFound
from models import Build, Image
from resolvers import audit
from resolvers.access import may_change, may_see
from schema import ids
from schema.context import Viewer


async def image(viewer: Viewer, id_: str) -> Image | None:
    """The image of a global id, or None when there is none for this viewer."""
    key = ids.decode("Image", id_)
    row = await Image.get_or_none(id=key) if key is not None else None
    return row if row and may_see(viewer, row) else None


async def build(viewer: Viewer, id_: str) -> Build | None:
    """The build of a global id, or None when there is none for this viewer."""
    key = ids.decode("Build", id_)
    rows = Build.filter(id=key).select_related("image")
    row = await rows.first() if key is not None else None
    return row if row and may_see(viewer, row.image) else None


async def image_to_see(viewer: Viewer, id_: str) -> Image:
    """The image, to be read. Raises NotFound."""
    row = await image(viewer, id_)
    if row is None:
        raise NotFound("There is no such image.")
    return row


async def image_to_change(viewer: Viewer, id_: str) -> Image:
    """The image, for a change. Raises NotFound and Forbidden."""
    row = await image_to_see(viewer, id_)
    if not may_change(viewer, row):
        raise Forbidden(f"{row.name} belongs to {row.owner}; only they may change it.")
    return row


async def build_to_see(viewer: Viewer, id_: str) -> Build:
    """The build, to be read. Raises NotFound."""
    row = await build(viewer, id_)
    if row is None:
        raise NotFound("There is no such build.")
    return row


async def build_to_change(viewer: Viewer, id_: str) -> Build:
    """The build, for a change. Raises NotFound and Forbidden."""
    row = await build_to_see(viewer, id_)
    audit.note(image=row.image.name, build=str(row.number))
    if not may_change(viewer, row.image):
        raise Forbidden(f"The build belongs to {row.image.owner}; only they may change it.")
    return row
