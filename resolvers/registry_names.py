"""What the registry holds, without what is somebody else's private image."""

from engine.reading_rights import may_read
from engine.registry.catalogue import Page
from engine.sealing import SealBroken, Sealer
from models import Image
from resolvers.access import may_see
from resolvers.context import author_of, services_of, viewer_of
from schema.context import Info, Viewer
from schema.cursor import InvalidCursor
from schema.registry import RegistryNames

# Begins a cursor that hides a name. No repository and no tag begins with it.
_SEALED = "~"
_ABOUT = "cursor of registry names"


async def repositories(info: Info, page: Page, sealer: Sealer) -> RegistryNames:
    """The repositories of a page that may be read and in which not all that is known is hidden."""
    settings, author = services_of(info).settings, author_of(info)
    known = await Image.filter(repository__in=page.names)
    seen = {row.repository for row in known if may_see(viewer_of(info), row)}
    hidden = {row.repository for row in known} - seen
    hidden |= {name for name in page.names if not may_read(settings, name, author)}
    return _without(hidden, page, sealer)


async def tags(viewer: Viewer, repository: str, page: Page, sealer: Sealer) -> RegistryNames:
    """The tags of a page, but for hidden images."""
    known = await Image.filter(repository=repository, registry_tag__in=page.names)
    hidden = {row.registry_tag for row in known if not may_see(viewer, row)}
    return _without(hidden, page, sealer)


def place(after: str | None, sealer: Sealer) -> str | None:
    """The name that a page goes on after. Raises InvalidCursor."""
    if not after or not after.startswith(_SEALED):
        return after or None
    try:
        return sealer.open(after.removeprefix(_SEALED), _ABOUT)
    except SealBroken:
        raise InvalidCursor from None


def _without(hidden: set[str], page: Page, sealer: Sealer) -> RegistryNames:
    names = [name for name in page.names if name not in hidden]
    cursor = page.last
    if cursor and cursor not in names:  # it may be a name as well, of whatever was passed over
        cursor = _SEALED + sealer.seal(cursor, _ABOUT)
    return RegistryNames(names=names, end_cursor=cursor)
