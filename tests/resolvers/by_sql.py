"""The list, its counts and facets as the database alone would tell them: slow, and simple."""

from tortoise.expressions import Q, Subquery
from tortoise.functions import Count
from tortoise.queryset import QuerySet

from models import Image, ImageTag
from resolvers.access import visible
from resolvers.selection import chosen_tags, read_catalogue
from schema.context import Viewer
from schema.inputs import ImageFilter


async def keys(viewer: Viewer, filter_: ImageFilter | None) -> set[int]:
    """The images that the list holds."""
    rows = await matching(viewer, filter_)
    return {row.id for row in await rows.only("id")}


async def page(viewer: Viewer, filter_: ImageFilter | None, first: int) -> list[Image]:
    """The newest images of the list."""
    rows = await matching(viewer, filter_)
    return await rows.order_by("-created_at", "-id").limit(first)


async def count(viewer: Viewer, filter_: ImageFilter | None) -> int:
    """How many images the viewer may see under the filter."""
    return await (await matching(viewer, filter_)).count()


async def facets(viewer: Viewer, filter_: ImageFilter | None) -> dict[int, int]:
    """Each tag's count under the other categories' filters; tags without any are left out."""
    chosen = await _chosen(filter_)
    counts: dict[int, int] = {}
    for category in {None, *chosen}:
        counts |= await _counts(viewer, filter_, chosen, category)
    return counts


async def matching(viewer: Viewer, filter_: ImageFilter | None) -> QuerySet[Image]:
    """The images that the viewer may see under the filter."""
    return _matching(viewer, filter_, await _chosen(filter_))


def _matching(
    viewer: Viewer, filter_: ImageFilter | None, chosen: dict[int, list[int]]
) -> QuerySet[Image]:
    rows = Image.filter(visible(viewer))
    for ids in chosen.values():
        tagged = ImageTag.filter(tag_id__in=ids).values("image_id")
        rows = rows.filter(id__in=Subquery(tagged))
    return rows.filter(_conditions(viewer, filter_)) if filter_ else rows


async def _chosen(filter_: ImageFilter | None) -> dict[int, list[int]]:
    slugs = (filter_ and filter_.tags) or ()
    return chosen_tags(await read_catalogue(), slugs) if slugs else {}


def _conditions(viewer: Viewer, filter_: ImageFilter) -> Q:
    found = Q()
    if filter_.search:
        found &= Q(name__icontains=filter_.search) | Q(description__icontains=filter_.search)
    if filter_.visibility:
        found &= Q(visibility=filter_.visibility)
    if filter_.status:
        found &= Q(status__in=filter_.status)
    if filter_.origin:
        found &= Q(origin__in=filter_.origin)
    if filter_.mine:
        found &= Q(owner=viewer.name)
    return found


async def _counts(
    viewer: Viewer,
    filter_: ImageFilter | None,
    chosen: dict[int, list[int]],
    category: int | None,
) -> dict[int, int]:
    """Images of each tag: of one category that was chosen, or of all that were not."""
    others = {id_: tags for id_, tags in chosen.items() if id_ != category}
    images = _matching(viewer, filter_, others)
    rows = ImageTag.filter(image_id__in=Subquery(images.values("id")))
    if category is None:
        rows = rows.exclude(tag__category_id__in=list(chosen)) if chosen else rows
    else:
        rows = rows.filter(tag__category_id=category)
    counted = await rows.annotate(images=Count("id")).group_by("tag_id").values("tag_id", "images")
    return {row["tag_id"]: row["images"] for row in counted}
