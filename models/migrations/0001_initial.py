from tortoise import migrations
from tortoise.migrations import operations as ops
import functools
from json import dumps, loads
from models.enums import BuildStatus, FailureCode, ImageStatus, Origin, StepStatus, Visibility
from tortoise.fields.base import OnDelete
from tortoise import fields
from tortoise.indexes import Index


class Migration(migrations.Migration):
    initial = True

    operations = [
        ops.CreateModel(
            name="Image",
            fields=[
                (
                    "id",
                    fields.BigIntField(
                        generated=True, primary_key=True, unique=True, db_index=True
                    ),
                ),
                ("name", fields.CharField(unique=True, max_length=400)),
                ("registry", fields.CharField(max_length=255)),
                ("repository", fields.CharField(max_length=255)),
                ("registry_tag", fields.CharField(max_length=128)),
                (
                    "visibility",
                    fields.CharEnumField(
                        description="Visibility", enum_type=Visibility, max_length=16
                    ),
                ),
                ("description", fields.TextField(unique=False)),
                ("owner", fields.CharField(max_length=255)),
                (
                    "origin",
                    fields.CharEnumField(description="Origin", enum_type=Origin, max_length=16),
                ),
                (
                    "source",
                    fields.JSONField(
                        encoder=functools.partial(dumps, separators=(",", ":")), decoder=loads
                    ),
                ),
                ("sealed_token", fields.TextField(null=True, unique=False)),
                (
                    "status",
                    fields.CharEnumField(
                        description="ImageStatus", enum_type=ImageStatus, max_length=16
                    ),
                ),
                ("digest", fields.CharField(null=True, max_length=100)),
                ("size", fields.BigIntField(null=True)),
                ("platform", fields.CharField(null=True, max_length=64)),
                ("current_build_id", fields.BigIntField(null=True)),
                ("created_at", fields.DatetimeField(auto_now=False, auto_now_add=False)),
                ("updated_at", fields.DatetimeField(auto_now=False, auto_now_add=False)),
            ],
            options={
                "table": "image",
                "app": "models",
                "indexes": [
                    Index(fields=["created_at", "id"], name="image_created"),
                    Index(fields=["updated_at", "id"], name="image_updated"),
                    Index(fields=["size", "id"], name="image_size"),
                    Index(fields=["owner"], name="image_owner"),
                ],
                "pk_attr": "id",
                "table_description": "One name in the registry, with its newest digest. Its builds tell how it came to be.",
            },
            bases=["Model"],
        ),
        ops.CreateModel(
            name="Build",
            fields=[
                (
                    "id",
                    fields.BigIntField(
                        generated=True, primary_key=True, unique=True, db_index=True
                    ),
                ),
                (
                    "image",
                    fields.ForeignKeyField(
                        "models.Image",
                        source_field="image_id",
                        db_constraint=True,
                        to_field="id",
                        related_name="builds",
                        on_delete=OnDelete.CASCADE,
                    ),
                ),
                ("number", fields.IntField()),
                (
                    "status",
                    fields.CharEnumField(
                        description="BuildStatus", enum_type=BuildStatus, max_length=16
                    ),
                ),
                ("created_by", fields.CharField(max_length=255)),
                ("created_at", fields.DatetimeField(auto_now=False, auto_now_add=False)),
                ("started_at", fields.DatetimeField(null=True, auto_now=False, auto_now_add=False)),
                (
                    "finished_at",
                    fields.DatetimeField(null=True, auto_now=False, auto_now_add=False),
                ),
                ("worker", fields.CharField(null=True, max_length=255)),
                (
                    "lease_until",
                    fields.DatetimeField(null=True, auto_now=False, auto_now_add=False),
                ),
                ("fence", fields.IntField(default=0)),
                ("attempt", fields.IntField(default=0)),
                ("not_before", fields.DatetimeField(null=True, auto_now=False, auto_now_add=False)),
                ("upload_key", fields.CharField(null=True, max_length=255)),
                ("context_digest", fields.CharField(null=True, max_length=100)),
                ("context_size", fields.BigIntField(null=True)),
                ("dockerfile", fields.TextField(null=True, unique=False)),
                ("dockerfile_path", fields.CharField(null=True, max_length=1024)),
                (
                    "commit",
                    fields.JSONField(
                        null=True,
                        encoder=functools.partial(dumps, separators=(",", ":")),
                        decoder=loads,
                    ),
                ),
                (
                    "bases",
                    fields.JSONField(
                        default=list,
                        encoder=functools.partial(dumps, separators=(",", ":")),
                        decoder=loads,
                    ),
                ),
                (
                    "environment",
                    fields.JSONField(
                        default=dict,
                        encoder=functools.partial(dumps, separators=(",", ":")),
                        decoder=loads,
                    ),
                ),
                (
                    "rebuild_of",
                    fields.ForeignKeyField(
                        "models.Build",
                        source_field="rebuild_of_id",
                        null=True,
                        db_constraint=True,
                        to_field="id",
                        related_name="rebuilds",
                        on_delete=OnDelete.SET_NULL,
                    ),
                ),
                ("pinned", fields.BooleanField(default=False)),
                ("digest", fields.CharField(null=True, max_length=100)),
                ("size", fields.BigIntField(null=True)),
                ("platform", fields.CharField(null=True, max_length=64)),
                (
                    "failure_code",
                    fields.CharEnumField(
                        null=True, description="FailureCode", enum_type=FailureCode, max_length=32
                    ),
                ),
                ("failure_message", fields.TextField(null=True, unique=False)),
                ("failure_step", fields.IntField(null=True)),
                ("log_lines", fields.BigIntField(default=0)),
                ("log_bytes", fields.BigIntField(default=0)),
                ("log_key", fields.CharField(null=True, max_length=255)),
            ],
            options={
                "table": "build",
                "app": "models",
                "unique_together": (("image", "number"),),
                "indexes": [Index(fields=["status", "lease_until"], name="build_waiting")],
                "pk_attr": "id",
                "table_description": "One making of an image, from its request to its result.",
            },
            bases=["Model"],
        ),
        ops.CreateModel(
            name="BuildStep",
            fields=[
                (
                    "id",
                    fields.BigIntField(
                        generated=True, primary_key=True, unique=True, db_index=True
                    ),
                ),
                (
                    "build",
                    fields.ForeignKeyField(
                        "models.Build",
                        source_field="build_id",
                        db_constraint=True,
                        to_field="id",
                        related_name="build_steps",
                        on_delete=OnDelete.CASCADE,
                    ),
                ),
                ("index", fields.IntField()),
                ("name", fields.TextField(unique=False)),
                (
                    "status",
                    fields.CharEnumField(
                        description="StepStatus", enum_type=StepStatus, max_length=16
                    ),
                ),
                ("started_at", fields.DatetimeField(null=True, auto_now=False, auto_now_add=False)),
                (
                    "finished_at",
                    fields.DatetimeField(null=True, auto_now=False, auto_now_add=False),
                ),
                ("error", fields.TextField(null=True, unique=False)),
            ],
            options={
                "table": "build_step",
                "app": "models",
                "unique_together": (("build", "index"),),
                "pk_attr": "id",
                "table_description": "One step, as the builder names it.",
            },
            bases=["Model"],
        ),
        ops.CreateModel(
            name="LogChunk",
            fields=[
                (
                    "id",
                    fields.BigIntField(
                        generated=True, primary_key=True, unique=True, db_index=True
                    ),
                ),
                (
                    "build",
                    fields.ForeignKeyField(
                        "models.Build",
                        source_field="build_id",
                        db_constraint=True,
                        to_field="id",
                        related_name="log_chunks",
                        on_delete=OnDelete.CASCADE,
                    ),
                ),
                ("first_line", fields.BigIntField()),
                ("last_line", fields.BigIntField()),
                ("step", fields.IntField(null=True)),
                ("time", fields.DatetimeField(auto_now=False, auto_now_add=False)),
                ("text", fields.TextField(unique=False)),
            ],
            options={
                "table": "log_chunk",
                "app": "models",
                "unique_together": (("build", "first_line"),),
                "indexes": [Index(fields=["build_id", "last_line"], name="log_chunk_last")],
                "pk_attr": "id",
                "table_description": "Consecutive lines of a build that is not over. Then the log is one blob, and these go.",
            },
            bases=["Model"],
        ),
        ops.CreateModel(
            name="TagCategory",
            fields=[
                (
                    "id",
                    fields.IntField(generated=True, primary_key=True, unique=True, db_index=True),
                ),
                ("name", fields.CharField(unique=True, max_length=64)),
                ("title", fields.CharField(max_length=128)),
            ],
            options={
                "table": "tag_category",
                "app": "models",
                "pk_attr": "id",
                "table_description": "A kind of tag: a framework, a task, a language.",
            },
            bases=["Model"],
        ),
        ops.CreateModel(
            name="Tag",
            fields=[
                (
                    "id",
                    fields.IntField(generated=True, primary_key=True, unique=True, db_index=True),
                ),
                (
                    "category",
                    fields.ForeignKeyField(
                        "models.TagCategory",
                        source_field="category_id",
                        db_constraint=True,
                        to_field="id",
                        related_name="tags",
                        on_delete=OnDelete.CASCADE,
                    ),
                ),
                ("name", fields.CharField(max_length=64)),
            ],
            options={
                "table": "tag",
                "app": "models",
                "unique_together": (("category", "name"),),
                "pk_attr": "id",
                "table_description": "One tag of a category, whose slug is `category/name`.",
            },
            bases=["Model"],
        ),
        ops.CreateModel(
            name="ImageTag",
            fields=[
                (
                    "id",
                    fields.BigIntField(
                        generated=True, primary_key=True, unique=True, db_index=True
                    ),
                ),
                (
                    "image",
                    fields.ForeignKeyField(
                        "models.Image",
                        source_field="image_id",
                        db_constraint=True,
                        to_field="id",
                        related_name="image_tags",
                        on_delete=OnDelete.CASCADE,
                    ),
                ),
                (
                    "tag",
                    fields.ForeignKeyField(
                        "models.Tag",
                        source_field="tag_id",
                        db_constraint=True,
                        to_field="id",
                        related_name="image_tags",
                        on_delete=OnDelete.CASCADE,
                    ),
                ),
            ],
            options={
                "table": "image_tag",
                "app": "models",
                "unique_together": (("image", "tag"),),
                "indexes": [Index(fields=["tag_id", "image_id"], name="image_tag_by_tag")],
                "pk_attr": "id",
                "table_description": "That an image has a tag.",
            },
            bases=["Model"],
        ),
    ]
