"""The list of an image's builds."""

from typing import Self

import strawberry

import models
from schema.build import Build
from schema.context import Info
from schema.field import field
from schema.page import Page, PageInfo


@strawberry.type(description="A build and its place in the list.")
class BuildEdge:
    """Relay's edge."""

    cursor: str = strawberry.field(description="Continue behind this build with it as `after`.")
    node: Build = strawberry.field(description="The build.")


@strawberry.type(description="A page of an image's builds, newest first.")
class BuildConnection:
    """Relay's connection, paged by key."""

    image: strawberry.Private[models.Image]
    edges: list[BuildEdge] = strawberry.field(description="The builds with their cursors.")
    nodes: list[Build] = strawberry.field(description="The builds alone.")
    page_info: PageInfo = strawberry.field(description="Where this page stands in the list.")

    @classmethod
    def of(cls, page: Page[models.Build], image: models.Image) -> Self:
        """The connection of one page of the image's builds."""
        edges = [BuildEdge(cursor=page.cursor(row), node=Build.of(row)) for row in page.rows]
        return cls(
            image=image,
            edges=edges,
            nodes=[edge.node for edge in edges],
            page_info=PageInfo.of(page),
        )

    @field("How many builds the image has.")
    async def total_count(self, info: Info) -> int:
        """Counted when selected."""
        return await info.context.reads.count_builds(self.image)
