"""Neighbouring chunks as one, where that loses nothing: each costs a reader more than its text.

A flood is stored in rows of 16 KiB. Sent one by one, most of the time would go into executing
GraphQL for each of them.
"""

from collections.abc import Iterable, Iterator
from datetime import timedelta

from engine.logs.archive import Chunk

# In UTF-8. With what JSON escapes it stays below the MiB that clients commonly admit in a message.
JOINED_BYTES = 256 * 1024
# A chunk has one time for all of its lines: what was written further apart keeps its own.
JOINED_SPAN = timedelta(milliseconds=100)

# Who follows a build and falls behind catches up, instead of receiving each moment by itself.
FOLLOWED_SPAN = timedelta(milliseconds=500)


def joined(chunks: Iterable[Chunk], span: timedelta = JOINED_SPAN) -> Iterator[Chunk]:
    """The same lines, in fewer chunks: of one step, of nearly one time, and not too large."""
    group: list[Chunk] = []
    size = 0
    for chunk in chunks:
        more = _size(chunk.text)
        if group and not (_belongs(chunk, group[0], span) and size + more <= JOINED_BYTES):
            yield _one(group)
            group, size = [], 0
        group.append(chunk)
        size += more
    if group:
        yield _one(group)


def _belongs(chunk: Chunk, first: Chunk, span: timedelta) -> bool:
    return chunk.step == first.step and chunk.time - first.time <= span


def _size(text: str) -> int:
    return len(text) if text.isascii() else len(text.encode())


def _one(group: list[Chunk]) -> Chunk:
    first, text = group[0], "\n".join(chunk.text for chunk in group)
    return Chunk(first.first_line, group[-1].last_line, first.step, first.time, text)
