"""Tags by which images are found; a slug is `category/name`."""

import contextlib
import difflib
import re

from tortoise.exceptions import IntegrityError

from engine.errors import FieldProblem
from models import Tag, TagCategory
from models.database import transaction

# What people of an AI platform ask for first. Administrators add what they miss.
FIRST = {
    ("framework", "Framework", "框架"): (
        "pytorch", "tensorflow", "jax", "mindspore", "paddlepaddle", "sklearn", "onnx", "triton",
    ),
    ("task", "Task", "任务"): (
        "training", "inference", "notebook", "fine-tuning", "vision", "nlp", "speech", "data",
    ),
    ("language", "Language", "语言"): ("python", "cpp", "java", "go", "rust", "r", "julia"),
    ("hardware", "Hardware", "硬件"): ("cpu", "nvidia-gpu", "amd-gpu", "ascend-npu", "tpu"),
    ("system", "System", "系统"): ("debian", "ubuntu", "alpine", "centos", "openeuler", "busybox"),
}  # fmt: skip
CATEGORY = re.compile(r"[a-z0-9][a-z0-9-]{0,62}")
SLUG = re.compile(rf"(?P<category>{CATEGORY.pattern})/(?P<name>[a-z0-9][a-z0-9._+-]{{0,62}})")


async def seed() -> None:
    """Give a new installation its first categories. Changes nothing where there are any."""

    async def write() -> None:
        for (name, title, chinese), names in FIRST.items():
            category = await TagCategory.create(name=name, title=title, title_chinese=chinese)
            await Tag.bulk_create(Tag(category_id=category.id, name=name) for name in names)

    if not await TagCategory.exists():
        with contextlib.suppress(IntegrityError):  # a process that started beside us was quicker
            await transaction(write)
    for name, title, chinese in FIRST:
        # Installations from before there were Chinese titles; a title of their own stays alone.
        await TagCategory.filter(name=name, title=title, title_chinese=None).update(
            title_chinese=chinese
        )


async def resolve(slugs: tuple[str, ...]) -> tuple[list[int], list[FieldProblem]]:
    """The ids of tags, each once, and what is wrong with those that there are not."""
    known = {slug_of(tag): tag.id for tag in await Tag.all().select_related("category")}
    problems = [
        FieldProblem("tags", _unknown(slug, list(known))) for slug in slugs if slug not in known
    ]
    return [known[slug] for slug in dict.fromkeys(slugs) if slug in known], problems


def slug_of(tag: Tag) -> str:
    """`category/name`; the category must be loaded."""
    return f"{tag.category.name}/{tag.name}"


def _unknown(slug: str, known: list[str]) -> str:
    shown = slug[:80]
    close = difflib.get_close_matches(slug, known, n=3)
    if close:
        return f"There is no tag `{shown}`. Close to it: {', '.join(close)}."
    return f"There is no tag `{shown}`. `tagCategories` lists them; administrators add more."
