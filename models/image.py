"""An image that a user asked for, and how it is found."""

from typing import Any

from tortoise import fields
from tortoise.indexes import Index
from tortoise.models import Model

from models.enums import ImageStatus, Origin, RegistryState, Visibility


class Image(Model):
    """One name in the registry, with its newest digest. Its builds tell how it came to be."""

    id = fields.BigIntField(primary_key=True)
    name = fields.CharField(max_length=400, unique=True)  # `/project/path:tag`, as it was given
    registry = fields.CharField(max_length=255)  # host and port
    repository = fields.CharField(max_length=255)
    registry_tag = fields.CharField(max_length=128)
    visibility = fields.CharEnumField(Visibility, "Visibility", max_length=16)
    description = fields.TextField()
    owner = fields.CharField(max_length=255)
    origin = fields.CharEnumField(Origin, "Origin", max_length=16)
    # What the user entered for this origin, never a secret.
    source = fields.JSONField[dict[str, Any]]()
    # A git token, sealed; kept for rebuilding.
    sealed_token = fields.TextField(null=True)
    status = fields.CharEnumField(ImageStatus, "ImageStatus", max_length=16)
    digest = fields.CharField(max_length=100, null=True)
    size = fields.BigIntField(null=True)  # bytes, compressed layers
    platform = fields.CharField(max_length=64, null=True)
    # The build that made `digest`. No foreign key: builds already point at their image, and a
    # circle of constraints could not be created or deleted in one order.
    current_build_id = fields.BigIntField(null=True)
    # What the registry said of an image that was not built here: config, labels, history.
    details = fields.JSONField[dict[str, Any] | None](null=True)
    registry_state = fields.CharEnumField(
        RegistryState,
        "RegistryState",
        max_length=16,
        default=RegistryState.UNCHECKED,
        db_default="UNCHECKED",
    )
    registry_digest = fields.CharField(max_length=100, null=True)  # of the tag, when last looked
    checked_at = fields.DatetimeField(null=True)
    created_at = fields.DatetimeField()
    updated_at = fields.DatetimeField()

    @property
    def reference(self) -> str:
        """The name with its registry, as `docker pull` takes it."""
        return f"{self.registry}/{self.repository}:{self.registry_tag}"

    class Meta:
        """Every order of the list pages by key, so each has its index."""

        table = "image"
        indexes = (
            Index(fields=("created_at", "id"), name="image_created"),
            Index(fields=("updated_at", "id"), name="image_updated"),
            Index(fields=("size", "id"), name="image_size"),
            Index(fields=("owner",), name="image_owner"),
        )


class TagCategory(Model):
    """A kind of tag: a framework, a task, a language."""

    id = fields.IntField(primary_key=True)
    name = fields.CharField(max_length=64, unique=True)
    title = fields.CharField(max_length=128)  # in English
    title_chinese = fields.CharField(max_length=128, null=True)

    class Meta:
        """Categories are shown in the order in which they were made."""

        table = "tag_category"
        ordering = ("id",)


class Tag(Model):
    """One tag of a category, whose slug is `category/name`."""

    id = fields.IntField(primary_key=True)
    category: fields.ForeignKeyRelation[TagCategory] = fields.ForeignKeyField(
        "models.TagCategory", related_name="tags", on_delete=fields.CASCADE
    )
    category_id: int
    name = fields.CharField(max_length=64)

    class Meta:
        """A name is unique within its category."""

        table = "tag"
        unique_together = (("category", "name"),)


class ImageTag(Model):
    """That an image has a tag."""

    id = fields.BigIntField(primary_key=True)
    image: fields.ForeignKeyRelation[Image] = fields.ForeignKeyField(
        "models.Image", related_name="image_tags", on_delete=fields.CASCADE
    )
    image_id: int
    tag: fields.ForeignKeyRelation[Tag] = fields.ForeignKeyField(
        "models.Tag", related_name="image_tags", on_delete=fields.CASCADE
    )
    tag_id: int

    class Meta:
        """The second index answers which images have a tag."""

        table = "image_tag"
        unique_together = (("image", "tag"),)
        indexes = (Index(fields=("tag_id", "image_id"), name="image_tag_by_tag"),)
