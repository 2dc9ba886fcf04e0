"""Who changed an image's record, when, and what."""

from typing import TypedDict

from tortoise import fields
from tortoise.indexes import Index
from tortoise.models import Model

from models.image import Image


class Change(TypedDict):
    """One field by the API's name for it, before and after; both None for a secret."""

    field: str
    before: str | None
    after: str | None


class ImageEdit(Model):
    """One edit. It is never changed, and goes with its image."""

    id = fields.BigIntField(primary_key=True)
    image: fields.ForeignKeyRelation[Image] = fields.ForeignKeyField(
        "models.Image", related_name="edits", on_delete=fields.CASCADE
    )
    image_id: int
    edited_by = fields.CharField(max_length=255)
    edited_at = fields.DatetimeField()
    changes = fields.JSONField[list[Change]]()

    class Meta:
        """Read by image, newest first."""

        table = "image_edit"
        indexes = (Index(fields=("image_id", "id"), name="image_edit_image"),)
