"""The list of images."""

from typing import Protocol, Self

import strawberry

import models
from schema.field import field
from schema.image import Image
from schema.page import Page, PageInfo
from schema.tag import TagFacet


@strawberry.type(description="An image and its place in the list.")
class ImageEdge:
    """Relay's edge."""

    cursor: str = strawberry.field(description="Continue behind this image with it as `after`.")
    node: Image = strawberry.field(description="The image.")


class Whole(Protocol):
    """The list that a page is of, as it was when the page was read."""

    def count(self) -> int:
        """How many images it holds."""

    async def facets(self) -> list[TagFacet]:
        """Every category with the count of each tag under the other categories' filters."""


@strawberry.type(description="A page of the images that the viewer may see under a filter.")
class ImageConnection:
    """Relay's connection, paged by key, with the facets of the whole list."""

    whole: strawberry.Private[Whole]
    edges: list[ImageEdge] = strawberry.field(description="The images with their cursors.")
    nodes: list[Image] = strawberry.field(description="The images alone.")
    page_info: PageInfo = strawberry.field(description="Where this page stands in the list.")

    @classmethod
    def of(cls, page: Page[models.Image], whole: Whole) -> Self:
        """The connection of one page of a list."""
        edges = [ImageEdge(cursor=page.cursor(row), node=Image.of(row)) for row in page.rows]
        return cls(
            whole=whole,
            edges=edges,
            nodes=[edge.node for edge in edges],
            page_info=PageInfo.of(page),
        )

    @field("How many images the whole list holds.")
    def total_count(self) -> int:
        """Counted when selected."""
        return self.whole.count()

    @field(
        "Every category with the count of each tag under the other categories' filters: what the "
        "list would hold if it were chosen."
    )
    async def facets(self) -> list[TagFacet]:
        """Counted when selected."""
        return await self.whole.facets()
