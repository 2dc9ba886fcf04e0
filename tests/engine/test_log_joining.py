"""Chunks on their way to readers: fewer of them, with the same lines."""

from datetime import UTC, datetime, timedelta

import pytest

from engine.logs.archive import Chunk
from engine.logs.joining import JOINED_BYTES, joined

NOON = datetime(2026, 1, 2, 12, tzinfo=UTC)


def chunk(line: int, text: str, step: int | None = 1, milliseconds: int = 0) -> Chunk:
    last = line + text.count("\n")
    return Chunk(line, last, step, NOON + timedelta(milliseconds=milliseconds), text)


def test_a_flood_is_few_chunks() -> None:
    flood = [chunk(1, "a\nb"), chunk(3, "c", milliseconds=40), chunk(4, "d", milliseconds=80)]
    assert list(joined(flood)) == [Chunk(1, 4, 1, NOON, "a\nb\nc\nd")]


def test_what_was_written_later_keeps_its_time() -> None:
    slow = [chunk(1, "a"), chunk(2, "b", milliseconds=80), chunk(3, "c", milliseconds=160)]
    assert [(c.first_line, c.time) for c in joined(slow)] == [
        (1, NOON),
        (3, NOON + timedelta(milliseconds=160)),
    ]


def test_each_step_keeps_its_lines() -> None:
    mixed = [chunk(1, "a", step=1), chunk(2, "b", step=2), chunk(3, "c", step=2)]
    assert [(c.step, c.text) for c in joined(mixed)] == [(1, "a"), (2, "b\nc")]


@pytest.mark.parametrize("character", ["x", "\u96ea"])
def test_no_chunk_becomes_too_large(character: str) -> None:
    text = character * ((JOINED_BYTES // 2 - 10) // len(character.encode()))
    large = [chunk(line, text) for line in range(1, 6)]
    assert [(c.first_line, c.last_line) for c in joined(large)] == [(1, 2), (3, 4), (5, 5)]


def test_nothing_stays_nothing() -> None:
    assert list(joined([])) == []
