"""The list of images."""

from typing import Self

import strawberry

import models
from schema.context import Info
from schema.field import field
from schema.image import Image
from schema.inputs import ImageFilter
from schema.page import Page, PageInfo
from schema.tag import TagFacet


@strawberry.type(description="An image and its place in the list.")
class ImageEdge:
    """Relay's edge."""

    cursor: str = strawberry.field(description="Continue behind this image with it as `after`.")
    node: Image = strawberry.field(description="The image.")


@strawberry.type(description="A page of the images that the viewer may see under a filter.")
class ImageConnection:
    """Relay's connection, paged by key, with the facets of the whole list."""

    filter: strawberry.Private[ImageFilter | None]
    edges: list[ImageEdge] = strawberry.field(description="The images with their cursors.")
    nodes: list[Image] = strawberry.field(description="The images alone.")
    page_info: PageInfo = strawberry.field(description="Where this page stands in the list.")

    @classmethod
    def of(cls, page: Page[models.Image], filter_: ImageFilter | None) -> Self:
        """The connection of one page of the images under the filter."""
        edges = [ImageEdge(cursor=page.cursor(row), node=Image.of(row)) for row in page.rows]
        return cls(
            filter=filter_,
            edges=edges,
            nodes=[edge.node for edge in edges],
            page_info=PageInfo.of(page),
        )

    @field("How many images the whole list holds.")
    async def total_count(self, info: Info) -> int:
        """Counted when selected."""
        return await info.context.reads.count_images(self.filter)

    @field(
        "Every category with the count of each tag under the other categories' filters: what the "
        "list would hold if it were chosen."
    )
    async def facets(self, info: Info) -> list[TagFacet]:
        """Counted when selected."""
        return await info.context.reads.image_facets(self.filter)
