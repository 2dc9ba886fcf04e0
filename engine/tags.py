"""Tags by which images are found; a slug is `category/name`."""

import difflib
import re

from engine.errors import FieldProblem, InvalidInput
from models import Tag, TagCategory
from models.database import transaction

# What people of an AI platform ask for first. Administrators add what they miss.
FIRST = {
    ("framework", "Framework"): (
        "pytorch", "tensorflow", "jax", "mindspore", "paddlepaddle", "sklearn", "onnx", "triton",
    ),
    ("task", "Task"): (
        "training", "inference", "notebook", "fine-tuning", "vision", "nlp", "speech", "data",
    ),
    ("language", "Language"): ("python", "cpp", "java", "go", "rust", "r", "julia"),
    ("hardware", "Hardware"): ("cpu", "nvidia-gpu", "amd-gpu", "ascend-npu", "tpu"),
    ("system", "System"): ("debian", "ubuntu", "alpine", "centos", "openeuler", "busybox"),
}  # fmt: skip
SLUG = re.compile(r"(?P<category>[a-z0-9][a-z0-9-]{0,62})/(?P<name>[a-z0-9][a-z0-9._+-]{0,62})")


async def seed() -> None:
    """Give a new installation its first categories. Changes nothing where there are any."""

    async def write() -> None:
        for (name, title), names in FIRST.items():
            category = await TagCategory.create(name=name, title=title)
            await Tag.bulk_create(Tag(category_id=category.id, name=name) for name in names)

    if not await TagCategory.exists():
        await transaction(write)


async def resolve(slugs: tuple[str, ...]) -> tuple[list[int], list[FieldProblem]]:
    """The ids of tags, each once, and what is wrong with those that there are not."""
    known = {slug_of(tag): tag.id for tag in await Tag.all().select_related("category")}
    problems = [
        FieldProblem("tags", _unknown(slug, list(known))) for slug in slugs if slug not in known
    ]
    return [known[slug] for slug in dict.fromkeys(slugs) if slug in known], problems


async def create(slug: str, title: str | None) -> Tag:
    """Make a tag, and its category when that is new. One that there is already stays as it is.

    Raises InvalidInput.
    """
    parts = SLUG.fullmatch(slug)
    if parts is None:
        message = (
            "It must be `category/name`, of lower-case letters, digits and hyphens; the name may "
            "also hold `.`, `_` and `+`."
        )
        raise InvalidInput([FieldProblem("slug", message)])

    async def write() -> Tag:
        name = parts["category"]
        defaults = {"title": title or name.capitalize()}
        category, _ = await TagCategory.get_or_create(defaults, name=name)
        tag, _ = await Tag.get_or_create(category_id=category.id, name=parts["name"])
        tag.category = category
        return tag

    return await transaction(write)


def slug_of(tag: Tag) -> str:
    """`category/name`; the category must be loaded."""
    return f"{tag.category.name}/{tag.name}"


def _unknown(slug: str, known: list[str]) -> str:
    shown = slug[:80]
    close = difflib.get_close_matches(slug, known, n=3)
    if close:
        return f"There is no tag `{shown}`. Close to it: {', '.join(close)}."
    return f"There is no tag `{shown}`. `tagCategories` lists them; administrators add more."
