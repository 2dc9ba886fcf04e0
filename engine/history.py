"""Who changed an image's record, when, and what: read by people, written with each edit."""

from typing import Any

from engine.clock import now
from models import Change, Image, ImageEdit, ImageTag

_FIELDS = {
    "visibility": "visibility",
    "description": "description",
    "sealed_token": "token",
    "token_name": "tokenName",
}


def change(before: Image, column: str, after: Any) -> Change:
    """One field before and after. A token's values are nobody's to read."""
    if column == "sealed_token":
        return {"field": "token", "before": None, "after": None}
    old = before.source.get("tokenName") if column == "token_name" else getattr(before, column)
    return {"field": _FIELDS[column], "before": _text(old), "after": _text(after)}


async def record(image_id: int, changes: list[Change], by: str) -> None:
    """Note an edit, within its transaction; what stayed the same is not noted."""
    real = [one for one in changes if one["before"] != one["after"] or one["field"] == "token"]
    if real:
        await ImageEdit.create(image_id=image_id, edited_by=by, edited_at=now(), changes=real)


async def slugs(image_id: int) -> str:
    """The image's tags as one line of text."""
    rows = ImageTag.filter(image_id=image_id).order_by("tag__category_id", "tag__name")
    names = await rows.values_list("tag__category__name", "tag__name")
    return ", ".join(f"{category}/{name}" for category, name in names)


def _text(value: object) -> str | None:
    return None if value is None else str(value)
