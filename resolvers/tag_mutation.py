"""What administrators change of tags and categories."""

from typing import Annotated

import strawberry

from engine import tag_catalogue
from engine.errors import Forbidden
from engine.tag_catalogue import Titles
from resolvers.context import viewer_of
from schema import tag_results as results
from schema.context import Info
from schema.field import field
from schema.results import CreateTagPayload, CreateTagResult
from schema.tag import Tag, TagCategory


def _text(description: str) -> object:
    return strawberry.argument(description=description)


Slug = Annotated[str, _text("`category/name`.")]
NewSlug = Annotated[str, _text("`category/name`; the category is made when it is new.")]
Name = Annotated[str, _text("The category's name, the first part of its tags' slugs.")]
Title = Annotated[str | None, _text("The name for people, in English; stays when left out.")]
ChineseTitle = Annotated[str | None, _text("The name for people, in Chinese; stays when left out.")]


@strawberry.type
class TagMutation:
    """A part of the root of mutations."""

    @field("Administrators only.")
    async def create_tag(
        self,
        info: Info,
        slug: NewSlug,
        category_title: Annotated[
            str | None, _text("The category's name for people, when it is new.")
        ] = strawberry.UNSET,
    ) -> CreateTagResult:
        """A tag that there is already is returned as it is."""
        _administrators_only(info)
        tag = await tag_catalogue.create_tag(slug, category_title or None)
        return CreateTagPayload(tag=Tag.of(tag))

    @field("Administrators only. Images keep the tag under its new name.")
    async def rename_tag(
        self,
        info: Info,
        slug: Slug,
        to: Annotated[str, _text("The new `category/name`; of a category that there is.")],
    ) -> results.RenameTagResult:
        """Also moves it to another category."""
        _administrators_only(info)
        return results.RenameTagPayload(tag=Tag.of(await tag_catalogue.rename_tag(slug, to)))

    @field("Administrators only. Removes a tag that no image has.")
    async def remove_tag(self, info: Info, slug: Slug) -> results.RemoveTagResult:
        """A tag in use stays."""
        _administrators_only(info)
        await tag_catalogue.remove_tag(slug)
        return results.RemoveTagPayload(slug=slug)

    @field("Administrators only. Adds a category, which has no tags yet.")
    async def create_tag_category(
        self,
        info: Info,
        name: Name,
        title: Title = strawberry.UNSET,
        title_chinese: ChineseTitle = strawberry.UNSET,
    ) -> results.TagCategoryResult:
        """Its place is behind the others."""
        _administrators_only(info)
        titles = Titles(title or None, title_chinese or None)
        category = await tag_catalogue.create_category(name, titles)
        return results.TagCategoryPayload(category=TagCategory.of(category))

    @field("Administrators only. Gives a category another name or title; images keep its tags.")
    async def update_tag_category(
        self,
        info: Info,
        name: Name,
        to: Annotated[str | None, _text("The new name; stays when left out.")] = strawberry.UNSET,
        title: Title = strawberry.UNSET,
        title_chinese: ChineseTitle = strawberry.UNSET,
    ) -> results.TagCategoryResult:
        """The slugs of its tags change with its name."""
        _administrators_only(info)
        titles = Titles(title or None, title_chinese or None)
        category = await tag_catalogue.update_category(name, to or None, titles)
        return results.TagCategoryPayload(category=TagCategory.of(category))

    @field("Administrators only. Removes a category that has no tags.")
    async def remove_tag_category(self, info: Info, name: Name) -> results.RemoveTagCategoryResult:
        """One with tags stays."""
        _administrators_only(info)
        await tag_catalogue.remove_category(name)
        return results.RemoveTagCategoryPayload(name=name)


def _administrators_only(info: Info) -> None:
    if not viewer_of(info).admin:
        raise Forbidden("Only administrators change tags and categories. Ask one of them.")
