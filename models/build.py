"""A build: its record, and its way through the states.

Each change of state is one conditional UPDATE. Whoever gets no row was too late: another worker
has the build, or it is over.
"""

from datetime import datetime
from typing import Any

from tortoise import fields
from tortoise.expressions import F, Q
from tortoise.functions import Coalesce
from tortoise.indexes import Index
from tortoise.models import Model
from tortoise.queryset import QuerySet

from models.enums import BuildStatus, FailureCode, StepStatus
from models.image import Image


class Build(Model):
    """One making of an image, from its request to its result."""

    id = fields.BigIntField(primary_key=True)
    image: fields.ForeignKeyRelation[Image] = fields.ForeignKeyField(
        "models.Image", related_name="builds", on_delete=fields.CASCADE
    )
    image_id: int
    number = fields.IntField()  # 1, 2, 3 … within the image
    status = fields.CharEnumField(BuildStatus, "BuildStatus", max_length=16)
    created_by = fields.CharField(max_length=255)
    # What their token said of them then: `groups`, and whether `admin`. Older rows have none.
    created_as = fields.JSONField[dict[str, Any] | None](null=True)
    created_at = fields.DatetimeField()
    started_at = fields.DatetimeField(null=True)
    finished_at = fields.DatetimeField(null=True)

    # The claim: who works on it, and until when. `fence` grows with every claim, and every write
    # of a worker names the fence that it holds. A build that is over has a lease while what it
    # pushed is yet to be withdrawn.
    worker = fields.CharField(max_length=255, null=True)
    lease_until = fields.DatetimeField(null=True)
    fence = fields.IntField(default=0)
    attempt = fields.IntField(default=0)  # tries, the first is 1
    not_before = fields.DatetimeField(null=True)  # back-off after a failure of the system

    traceparent = fields.CharField(max_length=55, null=True)  # W3C: what asked for it

    # What was resolved: the inputs by content.
    upload_key = fields.CharField(max_length=255, null=True)  # blob of the file that was uploaded
    context_digest = fields.CharField(max_length=100, null=True)  # of the uncompressed tar
    context_size = fields.BigIntField(null=True)  # bytes, uncompressed
    # False once its context and upload were given up, to save space.
    context_kept = fields.BooleanField(default=True, db_default=True)
    dockerfile = fields.TextField(null=True)
    dockerfile_path = fields.CharField(max_length=1024, null=True)  # within the context
    commit = fields.JSONField[dict[str, Any] | None](null=True)
    bases = fields.JSONField[list[dict[str, Any]]](default=list)
    environment = fields.JSONField[dict[str, Any]](default=dict)  # engine, builder, Darkroom
    container = fields.JSONField[dict[str, Any] | None](null=True)  # what was saved, where one was
    # Seconds since 1970 that the files of the image are dated to, where the engine can.
    source_date_epoch = fields.BigIntField(null=True)
    rebuild_of: fields.ForeignKeyNullableRelation["Build"] = fields.ForeignKeyField(
        "models.Build", related_name="rebuilds", null=True, on_delete=fields.SET_NULL
    )
    rebuild_of_id: int | None
    pinned = fields.BooleanField(default=False)  # repeats the record of `rebuild_of` exactly
    # It may replace what its tag points to: that was asked for, or the tag was free before.
    may_replace = fields.BooleanField(default=False, db_default=False)
    # What a try has begun to push, and over what: to be withdrawn unless the build succeeds.
    pushing = fields.JSONField[dict[str, Any] | None](null=True)

    # What came of it.
    digest = fields.CharField(max_length=100, null=True)
    size = fields.BigIntField(null=True)  # bytes, compressed layers
    platform = fields.CharField(max_length=64, null=True)
    failure_code = fields.CharEnumField(FailureCode, "FailureCode", max_length=32, null=True)
    failure_message = fields.TextField(null=True)
    failure_step = fields.IntField(null=True)
    log_lines = fields.BigIntField(default=0)
    log_bytes = fields.BigIntField(default=0)
    log_key = fields.CharField(max_length=255, null=True)  # the archived log, once it is over

    class Meta:
        """Sweeps look for what waits, for leases that ran out, and for what is old."""

        table = "build"
        unique_together = (("image", "number"),)
        indexes = (
            Index(fields=("status", "lease_until"), name="build_waiting"),
            Index(fields=("status", "log_key"), name="build_unarchived"),
            Index(fields=("finished_at",), name="build_finished"),
        )

    @classmethod
    async def claim(
        cls, build_id: int, worker: str, now: datetime, until: datetime
    ) -> "Build | None":
        """Take a queued build, or None when somebody else was quicker or it is not queued."""
        waiting = cls.filter(id=build_id, status=BuildStatus.QUEUED)
        due = waiting.filter(Q(not_before=None) | Q(not_before__lte=now))
        taken = await due.update(
            status=BuildStatus.PREPARING,
            worker=worker,
            lease_until=until,
            fence=F("fence") + 1,
            attempt=F("attempt") + 1,
            started_at=Coalesce("started_at", now),
        )
        return await cls.get(id=build_id) if taken else None

    @classmethod
    async def seize(cls, build: "Build", worker: str, now: datetime, until: datetime) -> bool:
        """Take a build whose lease ran out away from its worker; one of those who try succeeds.

        From here on the old claim's fence is not the build's any more: whatever the lost worker
        writes when it wakes up changes nothing.
        """
        lost = cls.filter(id=build.id, fence=build.fence, lease_until__lt=now)
        states = (*RUNNING, BuildStatus.CANCELING)
        taken = await lost.filter(status__in=states).update(
            fence=F("fence") + 1, worker=worker, lease_until=until
        )
        if taken:
            await build.refresh_from_db()
        return taken == 1

    async def renew(self, until: datetime) -> bool:
        """Keep the claim; False once it was lost or the build is over or being canceled."""
        return await self.mine(*RUNNING).update(lease_until=until) == 1

    async def hold(self) -> bool:
        """Within a transaction: whether this claim holds, and keep it from being lost meanwhile."""
        return await self.mine(*RUNNING, BuildStatus.CANCELING).update(fence=self.fence) == 1

    async def move(self, *from_: BuildStatus, to: BuildStatus, **changes: Any) -> bool:
        """Change the state under this claim; False when the state or the claim is another's."""
        if not await self.mine(*from_).update(status=to, **changes):
            # The answer to the same change may have been lost, and it was sent again.
            return await self.mine(to).exists()
        self.update_from_dict({"status": to, **changes})
        return True

    async def note(self, **changes: Any) -> bool:
        """Write to the record under this claim, in whatever state the build runs."""
        if not await self.mine(*RUNNING, BuildStatus.CANCELING).update(**changes):
            return False
        self.update_from_dict(changes)
        return True

    def mine(self, *states: BuildStatus) -> "QuerySet[Build]":
        """The row of this build while this claim holds and it is in one of the states."""
        return Build.filter(id=self.id, fence=self.fence, status__in=states)


RUNNING = (BuildStatus.PREPARING, BuildStatus.BUILDING, BuildStatus.PUSHING)


class BuildStep(Model):
    """One step, as the builder names it."""

    id = fields.BigIntField(primary_key=True)
    build: fields.ForeignKeyRelation[Build] = fields.ForeignKeyField(
        "models.Build", related_name="build_steps", on_delete=fields.CASCADE
    )
    build_id: int
    index = fields.IntField()
    name = fields.TextField()
    status = fields.CharEnumField(StepStatus, "StepStatus", max_length=16)
    started_at = fields.DatetimeField(null=True)
    finished_at = fields.DatetimeField(null=True)
    error = fields.TextField(null=True)

    class Meta:
        """Steps count from 1 within their build."""

        table = "build_step"
        unique_together = (("build", "index"),)
        ordering = ("index",)


class LogChunk(Model):
    """Consecutive lines of a build that is not over. Then the log is one blob, and these go."""

    id = fields.BigIntField(primary_key=True)
    build: fields.ForeignKeyRelation[Build] = fields.ForeignKeyField(
        "models.Build", related_name="log_chunks", on_delete=fields.CASCADE
    )
    build_id: int
    first_line = fields.BigIntField()
    last_line = fields.BigIntField()
    step = fields.IntField(null=True)
    time = fields.DatetimeField()
    text = fields.TextField()

    class Meta:
        """Readers ask for what follows a line."""

        table = "log_chunk"
        unique_together = (("build", "first_line"),)
        indexes = (Index(fields=("build_id", "last_line"), name="log_chunk_last"),)
