"""Who changed an image's record, when, and what."""

from datetime import datetime
from typing import Self

import strawberry

import models
from schema.page import Page, PageInfo
from schema.user import User


@strawberry.type(description="One field of an edit.")
class FieldChange:
    """One entry of the JSON of `ImageEdit.changes`."""

    field: str = strawberry.field(description="The field's name in `updateImage`'s input.")
    before: str | None = strawberry.field(
        description="As it was; tags are joined by commas. Null for a token."
    )
    after: str | None = strawberry.field(description="As it became. Null for a token.")


@strawberry.type(description="One edit of an image's record.")
class ImageEdit:
    """A row of `ImageEdit`."""

    edited_by: User = strawberry.field(description="Who did it.")
    edited_at: datetime = strawberry.field(description="When.")
    changes: list[FieldChange] = strawberry.field(
        description="What became different. Only those who may edit the image are told the "
        "values, which may be older than its publication; others get the fields' names."
    )

    @classmethod
    def of(cls, row: models.ImageEdit, *, values: bool) -> Self:
        """The edit of this row, with the values or without."""
        changes = [
            FieldChange(
                field=change["field"],
                before=change["before"] if values else None,
                after=change["after"] if values else None,
            )
            for change in row.changes
        ]
        return cls(edited_by=User.of(row.edited_by), edited_at=row.edited_at, changes=changes)


@strawberry.type(description="An edit and its place in the list.")
class ImageEditEdge:
    """Relay's edge."""

    cursor: str = strawberry.field(description="Continue behind this edit with it as `after`.")
    node: ImageEdit = strawberry.field(description="The edit.")


@strawberry.type(description="A page of an image's edits, newest first.")
class ImageEditConnection:
    """Relay's connection, paged by key."""

    edges: list[ImageEditEdge] = strawberry.field(description="The edits with their cursors.")
    nodes: list[ImageEdit] = strawberry.field(description="The edits alone.")
    page_info: PageInfo = strawberry.field(description="Where this page stands in the list.")

    @classmethod
    def of(cls, page: Page[models.ImageEdit], *, values: bool) -> Self:
        """The connection of one page of edits."""
        edges = [
            ImageEditEdge(cursor=page.cursor(row), node=ImageEdit.of(row, values=values))
            for row in page.rows
        ]
        return cls(edges=edges, nodes=[edge.node for edge in edges], page_info=PageInfo.of(page))
