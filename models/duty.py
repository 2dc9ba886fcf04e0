"""What one process does at a time, in the whole system."""

from datetime import datetime

from tortoise import fields
from tortoise.expressions import Q
from tortoise.models import Model


class Duty(Model):
    """A task of the system by its name, and who has it until when."""

    name = fields.CharField(max_length=64, primary_key=True)
    worker = fields.CharField(max_length=255, null=True)
    until = fields.DatetimeField(null=True)

    class Meta:
        """One row for each task, made when it is first done."""

        table = "duty"

    @classmethod
    async def take(cls, name: str, worker: str, now: datetime, until: datetime) -> bool:
        """Take a task for a while; False while it is taken."""
        await cls._make(name)
        free = cls.filter(Q(until=None) | Q(until__lt=now), name=name)
        return await free.update(worker=worker, until=until) == 1

    @classmethod
    async def lock(cls, name: str) -> None:
        """Within a transaction: let everybody else who locks the task wait for its end."""
        while not await cls.filter(name=name).update(worker=None):
            await cls._make(name)

    @classmethod
    async def _make(cls, name: str) -> None:
        if not await cls.filter(name=name).exists():
            await cls.bulk_create([cls(name=name)], ignore_conflicts=True)
