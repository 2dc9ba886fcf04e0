"""Databases that hold images by the hundred thousand, written by the database itself.

Five categories of eight tags, four tags an image on average; a thousand owners, seven images in
ten public. What is random are the digits of a hash of the image's number, a digit for each purpose,
so that every run holds the same and nothing hangs together.
"""

import dataclasses

from tortoise.context import TortoiseContext
from tortoise.transactions import in_transaction

from models import Tag, TagCategory, database, text_index

CATEGORIES, TAGS = 5, 8
OWNERS = 1_000
_NUMBERS = """
WITH RECURSIVE numbers(number) AS (
  SELECT 1 UNION ALL SELECT number + 1 FROM numbers WHERE number < {count}
), hashed AS (SELECT number, (number * 2654435761) % 4294967291 AS hash FROM numbers)
"""

_IMAGES = """
INSERT INTO image (id, name, registry, repository, registry_tag, visibility, description, owner,
  origin, source, status, size, created_at, updated_at)
{numbers}
SELECT number, '/team-' || (hash % 97) || '/model-' || number || ':1', 'localhost:1',
  'team-' || (hash % 97) || '/model-' || number, '1',
  CASE WHEN hash % 10 < 7 THEN 'PUBLIC' ELSE 'PRIVATE' END,
  'Trained on corpus ' || (hash % 9973) || ' for the evaluation of week ' || (hash % 53) || '.',
  'user-' || (hash / 1000000 % {owners}),
  CASE hash % 3 WHEN 0 THEN 'GIT' WHEN 1 THEN 'DOCKERFILE' ELSE 'UPLOAD' END, '{{}}',
  CASE hash % 11 WHEN 0 THEN 'FAILED' ELSE 'READY' END,
  CASE hash % 11 WHEN 0 THEN NULL ELSE hash END, {created}, {updated}
FROM hashed
"""

# A digit of 8 or 9 is no tag of the category: 5 categories × 8 / 10 is four tags an image.
_IMAGE_TAGS = """
INSERT INTO image_tag (image_id, tag_id)
{numbers}, digits(category, place) AS (VALUES {places}),
chosen AS (SELECT number, category, hash / place % 10 AS digit FROM hashed CROSS JOIN digits)
SELECT number, (category - 1) * {tags} + digit + 1 FROM chosen WHERE digit < {tags} ORDER BY number
"""


@dataclasses.dataclass(frozen=True, slots=True)
class _Dialect:
    """What the databases do not say alike."""

    time: str  # so many seconds after the year's beginning
    before: tuple[str, ...]
    after: tuple[str, ...]


_POSTGRES = _Dialect(
    time="TIMESTAMPTZ '2026-01-01' + {seconds} * INTERVAL '1 second'",
    # No triggers: nobody has read anything yet, and what is written refers to what there is.
    before=("SET LOCAL session_replication_role = replica", "DROP INDEX IF EXISTS image_text"),
    after=(
        text_index.MAKE,
        "SELECT setval(pg_get_serial_sequence('image', 'id'), max(id)) FROM image",
        "VACUUM ANALYZE",  # as it does by itself a minute later
    ),
)
_SQLITE = _Dialect(
    time="datetime('2026-01-01', ({seconds}) || ' seconds') || '+00:00'",
    before=(),
    after=("ANALYZE",),
)


async def write(url: str, count: int) -> None:
    """Make the database at this address, with so many images."""
    await database.migrate(url)
    async with database.opened(url) as context:
        await _write_tags()
        await _fill(context, _SQLITE if database.is_sqlite(url) else _POSTGRES, count)


async def _write_tags() -> None:
    for category in range(1, CATEGORIES + 1):
        row = await TagCategory.create(name=f"kind-{category}", title=f"Kind {category}")
        names = [f"tag-{number}" for number in range(1, TAGS + 1)]
        await Tag.bulk_create(Tag(category_id=row.id, name=name) for name in names)


async def _fill(context: TortoiseContext, dialect: _Dialect, count: int) -> None:
    numbers = _NUMBERS.format(count=count)
    images = _IMAGES.format(
        numbers=numbers,
        owners=OWNERS,
        created=dialect.time.format(seconds="number"),
        updated=dialect.time.format(seconds="hash % 31536000"),
    )
    places = ", ".join(f"({number}, {10**number})" for number in range(1, CATEGORIES + 1))
    tags = _IMAGE_TAGS.format(numbers=numbers, places=places, tags=TAGS)
    async with in_transaction() as transaction:
        for statement in (*dialect.before, images, tags):
            await transaction.execute_query(statement)
    for statement in dialect.after:
        await context.db().execute_query(statement)
