"""Which images changed, by a number that grows with every change.

Triggers write this, within the transaction of the change itself, so no writer can forget to. The
clock's row is locked until that transaction ends: numbers become visible in their order, and who
has seen a number has seen all before it.
"""

from tortoise import fields
from tortoise.indexes import Index
from tortoise.models import Model


class ImageChange(Model):
    """The last change of an image, also of one that is gone, in what it can be found by."""

    image_id = fields.BigIntField(primary_key=True, generated=False)
    number = fields.BigIntField()

    class Meta:
        """Readers ask for what came after a number."""

        table = "image_change"
        indexes = (Index(fields=("number",), name="image_change_number"),)


class ChangeClock(Model):
    """One row: the number of the last change."""

    id = fields.IntField(primary_key=True, generated=False)
    number = fields.BigIntField()

    class Meta:
        """Made by the migration that makes the triggers."""

        table = "change_clock"
