"""Tags, their categories, and how many images each would leave."""

from typing import Self

import strawberry

import models
from schema.context import Info
from schema.field import field


@strawberry.type(description="A kind of tag, such as `framework`.")
class TagCategory:
    """A row of `TagCategory`."""

    row: strawberry.Private[models.TagCategory]
    name: str = strawberry.field(description="The first part of its tags' slugs.")

    @classmethod
    def of(cls, row: models.TagCategory) -> Self:
        """The category of this row."""
        return cls(row=row, name=row.name)

    @field("The name as people read it: in English or Chinese, by the request's `Accept-Language`.")
    def title(self, info: Info) -> str:
        """The English one where there is no Chinese one."""
        chinese = self.row.title_chinese if info.context.chinese else None
        return chinese or self.row.title

    @field("The category's tags by name.")
    async def tags(self, info: Info) -> list["Tag"]:
        """Read when selected: the list of categories alone needs none."""
        return [Tag.of(row) for row in await info.context.reads.category_tags(self.row)]


@strawberry.type(description="`slug` is `category/name`.")
class Tag:
    """A row of `Tag`, its category fetched with it."""

    slug: str = strawberry.field(
        description="`category/name`, by which filters and inputs name it."
    )
    category: TagCategory = strawberry.field(description="The category that it belongs to.")
    name: str = strawberry.field(description="The name, unique within its category.")

    @classmethod
    def of(cls, row: models.Tag) -> Self:
        """The tag of this row."""
        category = TagCategory.of(row.category)
        return cls(slug=f"{category.name}/{row.name}", category=category, name=row.name)


@strawberry.type(description="One tag, and how many images the list would hold with it.")
class TagFacetValue:
    """A count under a filter; no row of its own."""

    tag: Tag = strawberry.field(description="The tag.")
    count: int = strawberry.field(
        description="How many images have it under the other categories' filters."
    )
    selected: bool = strawberry.field(description="Whether the filter names it.")


@strawberry.type(description="A category with the count of each of its tags.")
class TagFacet:
    """Counts under a filter; no row of its own."""

    category: TagCategory = strawberry.field(description="The category.")
    values: list[TagFacetValue] = strawberry.field(
        description="Each tag of the category, also those that no image has."
    )
