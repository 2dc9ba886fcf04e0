"""A log's rows as chunks: where lines are until the build is over and its log is archived.

They are read past the ORM, whose conversion of each value takes a tenth of the time that a long log
needs to reach its reader.
"""

import functools
from datetime import datetime

from engine.logs.archive import Chunk
from models import LogChunk

# Chunks of one query; at 16 KiB each, what a reader holds in memory at once.
BATCH = 128


async def read(build_id: int, after: int, most: int = BATCH) -> list[Chunk]:
    """At most so many rows of a build that hold lines after line `after`, in their order."""
    database = LogChunk._meta.db
    statement = _statement(database.capabilities.dialect)
    _, rows = await database.execute_query(statement, [build_id, after, most])
    return [Chunk(first, last, step, _moment(time), text) for first, last, step, time, text in rows]


@functools.cache
def _statement(dialect: str) -> str:
    """As the ORM says it to a database of this kind."""
    rows = LogChunk.filter(build_id=0, last_line__gt=0).order_by("last_line").limit(1)
    return rows.values_list("first_line", "last_line", "step", "time", "text").sql()


def _moment(time: datetime | str) -> datetime:
    """SQLite has no type for it."""
    return time if isinstance(time, datetime) else datetime.fromisoformat(time)
