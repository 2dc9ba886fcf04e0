"""Rows in memory, and `Reads` that answers from them: the seam at which the nouns are tested."""

from dataclasses import dataclass, field
from typing import Any

from tortoise import Tortoise

import models
from models.enums import (
    BuildInput,
    BuildStatus,
    FileChange,
    StepStatus,
)
from schema.build_difference import BuildDifference
from schema.cursor import Cursor
from schema.image import Image
from schema.log import BuildLogChunk, BuildLogPage
from schema.page import Page
from schema.saved_container import ChangedFile
from schema.scalars import BigInt
from schema.tag import Tag, TagCategory, TagFacet, TagFacetValue
from tests import rows
from tests.rows import NOON

# Rows get the keys of their relations only once the models know each other; no database is opened.
Tortoise.init_models(["models"], "models")


def image_row(**changes: Any) -> models.Image:
    values = {
        "id": 7,
        "name": "/aihub/demo_api:0.1",
        "registry": "harbor.example.com",
        "registry_tag": "0.1",
        "digest": "sha256:1",
        "size": 2**40,
        "platform": "linux/amd64",
        "current_build_id": 1,
    }
    return rows.image(**values | changes)


def build_row(**changes: Any) -> models.Build:
    values = {
        "id": 1,
        "image_id": 7,
        "number": 1,
        "status": BuildStatus.SUCCEEDED,
        "created_by": "mina",
        "created_at": NOON,
        "attempt": 1,
        "dockerfile": "FROM scratch",
    }
    return models.Build(**values | changes)


def tag_row(id_: int, category: models.TagCategory, name: str) -> models.Tag:
    row = models.Tag(id=id_, category_id=category.id, name=name)
    row.category = category
    return row


@dataclass
class Memory:
    """Answers from what it was given, also as the list of it, and counts what it was asked."""

    image: models.Image
    builds: list[models.Build] = field(default_factory=list)
    tags: list[models.Tag] = field(default_factory=list)
    asked: list[str] = field(default_factory=list)

    async def is_admin(self, name: str) -> bool:
        self.asked.append("is_admin")
        return name == "root"

    async def image_tags(self, image: models.Image) -> list[models.Tag]:
        self.asked.append("image_tags")
        return self.tags

    async def category_tags(self, category: models.TagCategory) -> list[models.Tag]:
        self.asked.append("category_tags")
        return [tag for tag in self.tags if tag.category.id == category.id]

    async def can_edit(self, image: models.Image) -> bool:
        self.asked.append("can_edit")
        return True

    def count(self) -> int:
        self.asked.append("count")
        return 1

    async def facets(self) -> list[TagFacet]:
        self.asked.append("facets")
        values = [TagFacetValue(tag=Tag.of(tag), count=1, selected=False) for tag in self.tags]
        return [TagFacet(category=TagCategory.of(self.tags[0].category), values=values)]

    async def image_builds(
        self, image: models.Image, first: int, after: str | None
    ) -> Page[models.Build]:
        self.asked.append(f"image_builds {first} {after}")
        place = Cursor.decode(after, "NUMBER").id if after else 0
        rows = [row for row in self.builds if row.id > place]
        return Page(
            rows[:first],
            lambda row: Cursor("NUMBER", row.number, row.id).encode(),
            has_next=len(rows) > first,
            has_previous=place > 0,
        )

    async def image_edits(
        self, image: models.Image, first: int, after: str | None
    ) -> Page[models.ImageEdit]:
        self.asked.append(f"image_edits {first} {after}")
        return Page([], lambda row: str(row.id), has_next=False, has_previous=False)

    async def count_builds(self, image: models.Image) -> int:
        self.asked.append("count_builds")
        return len(self.builds)

    async def latest_build(self, image: models.Image) -> models.Build | None:
        return self.builds[-1] if self.builds else None

    async def build(self, id_: int) -> models.Build | None:
        return next((row for row in self.builds if row.id == id_), None)

    async def image_of(self, build: models.Build) -> Image:
        return Image.of(self.image)

    async def build_steps(self, build: models.Build) -> list[models.BuildStep]:
        step = models.BuildStep(
            build_id=build.id, index=1, name="[1/1] RUN a", status=StepStatus.CACHED
        )
        return [step]

    async def build_differences(self, build: models.Build) -> list[BuildDifference]:
        difference = BuildDifference(input=BuildInput.COMMIT, name=None, before="a", after="b")
        return [difference] if build.rebuild_of_id else []

    async def build_record(self, build: models.Build) -> dict[str, object]:
        return {"version": 1, "number": build.number}

    async def queue_position(self, build: models.Build) -> int | None:
        return 3

    async def changed_files(self, build: models.Build, after: int, most: int) -> list[ChangedFile]:
        return [ChangedFile(path="/installed", change=FileChange.ADDED, size=BigInt(6))]

    async def line_count(self, build: models.Build) -> int:
        return 2**20

    async def build_log(self, build: models.Build, after: int, max_lines: int) -> BuildLogPage:
        self.asked.append(f"build_log {after} {max_lines}")
        chunk = BuildLogChunk(first_line=after + 1, cursor=after + 1, step=1, time=NOON, text="a")
        return BuildLogPage(chunks=[chunk], end_cursor=after + 1, complete=True)

    def log_url(self, build: models.Build) -> str:
        return f"https://darkroom.example.com/builds/{build.id}/log"
