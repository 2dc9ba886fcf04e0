"""What administrators do to tags and categories: add, rename, remove what nothing uses.

Images hold a tag by its key, so a tag under a new name stays with all of them.
"""

from dataclasses import dataclass

from tortoise.exceptions import IntegrityError
from tortoise.expressions import Subquery

from engine.errors import FieldProblem, InvalidInput, NotFound
from engine.tags import CATEGORY, SLUG
from models import ImageTag, Tag, TagCategory
from models.database import transaction

LONGEST_TITLE = 128  # characters


@dataclass(frozen=True, slots=True)
class Titles:
    """A category's name for people; None leaves the one that there is."""

    english: str | None = None
    chinese: str | None = None

    def problems(self) -> list[FieldProblem]:
        """What is wrong with them, by the API's names."""
        given = {"title": self.english, "titleChinese": self.chinese}
        return [
            FieldProblem(field, f"It must have 1 to {LONGEST_TITLE} printable characters.")
            for field, text in given.items()
            if text is not None and not (0 < len(text) <= LONGEST_TITLE and text.isprintable())
        ]

    def columns(self) -> dict[str, str]:
        """What to write."""
        given = {"title": self.english, "title_chinese": self.chinese}
        return {column: text for column, text in given.items() if text is not None}


async def create_tag(slug: str, title: str | None) -> Tag:
    """Make a tag, and its category when that is new. One that there is already stays as it is.

    Raises InvalidInput.
    """
    category_name, name = _split(slug, "slug")
    problems = [
        FieldProblem("categoryTitle", problem.message) for problem in Titles(title).problems()
    ]
    if problems:
        raise InvalidInput(problems)

    async def write() -> Tag:
        defaults = {"title": title or category_name.capitalize()}
        category, _ = await TagCategory.get_or_create(defaults, name=category_name)
        tag, _ = await Tag.get_or_create(category_id=category.id, name=name)
        tag.category = category
        return tag

    return await transaction(write)


async def rename_tag(slug: str, to: str) -> Tag:
    """Give a tag another name, or move it to another category. Raises InvalidInput, NotFound."""
    tag = await _tag(slug)
    category_name, name = _split(to, "to")
    category = await TagCategory.get_or_none(name=category_name)
    if category is None:
        raise _invalid("to", f"There is no category `{category_name}`. Create it first.")
    try:
        await Tag.filter(id=tag.id).update(category_id=category.id, name=name)
    except IntegrityError:
        raise _invalid("to", f"There is a tag `{to}` already.") from None
    return await Tag.get(id=tag.id).select_related("category")


async def remove_tag(slug: str) -> None:
    """Remove a tag that no image has. Raises InvalidInput when one has it, and NotFound."""
    tag = await _tag(slug)

    async def write() -> int:
        # The lock keeps an image from taking the tag between the question and the removal.
        await Tag.filter(id=tag.id).select_for_update().first()
        used = ImageTag.filter(tag_id=tag.id).values("tag_id")
        return await Tag.filter(id=tag.id).exclude(id__in=Subquery(used)).delete()

    if not await transaction(write):
        count = await ImageTag.filter(tag_id=tag.id).count()
        raise _invalid("slug", f"{count} images have this tag. Take it from them, or rename it.")


async def create_category(name: str, titles: Titles) -> TagCategory:
    """Make a category without tags. Raises InvalidInput."""
    problems = titles.problems()
    if not CATEGORY.fullmatch(name):
        problems.append(FieldProblem("name", _CATEGORY_RULE))
    if problems:
        raise InvalidInput(problems)
    try:
        return await TagCategory.create(
            name=name, title=titles.english or name.capitalize(), title_chinese=titles.chinese
        )
    except IntegrityError:
        raise _invalid("name", f"There is a category `{name}` already.") from None


async def update_category(name: str, to: str | None, titles: Titles) -> TagCategory:
    """Give a category another name or title; its tags stay. Raises InvalidInput and NotFound."""
    category = await _category(name)
    problems = titles.problems()
    if to is not None and not CATEGORY.fullmatch(to):
        problems.append(FieldProblem("to", _CATEGORY_RULE))
    if problems:
        raise InvalidInput(problems)
    columns = titles.columns() | ({"name": to} if to is not None else {})
    try:
        await TagCategory.filter(id=category.id).update(**columns or {"name": name})
    except IntegrityError:
        raise _invalid("to", f"There is a category `{to}` already.") from None
    return await TagCategory.get(id=category.id)


async def remove_category(name: str) -> None:
    """Remove a category without tags. Raises InvalidInput when it has some, and NotFound."""
    category = await _category(name)

    async def write() -> int:
        await TagCategory.filter(id=category.id).select_for_update().first()
        used = Tag.filter(category_id=category.id).values("category_id")
        return await TagCategory.filter(id=category.id).exclude(id__in=Subquery(used)).delete()

    if not await transaction(write):
        raise _invalid("name", "It still has tags. Remove them first, or move them by renaming.")


_CATEGORY_RULE = "It must be 1 to 63 lower-case letters, digits and hyphens."


def _split(slug: str, field: str) -> tuple[str, str]:
    parts = SLUG.fullmatch(slug)
    if parts is None:
        raise _invalid(
            field,
            "It must be `category/name`, of lower-case letters, digits and hyphens; the name may "
            "also hold `.`, `_` and `+`.",
        )
    return parts["category"], parts["name"]


async def _tag(slug: str) -> Tag:
    parts = SLUG.fullmatch(slug)
    if parts:
        named = Tag.filter(category__name=parts["category"], name=parts["name"])
        if tag := await named.select_related("category").first():
            return tag
    raise NotFound(f"There is no tag `{slug[:80]}`.")


async def _category(name: str) -> TagCategory:
    category = await TagCategory.get_or_none(name=name) if CATEGORY.fullmatch(name) else None
    if category is None:
        raise NotFound(f"There is no category `{name[:80]}`.")
    return category


def _invalid(field: str, message: str) -> InvalidInput:
    return InvalidInput([FieldProblem(field, message)])
