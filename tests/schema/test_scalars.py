from datetime import UTC, datetime, timedelta, timezone

import pytest
from graphql import GraphQLError

from schema.scalars import integer_of_64_bits, parse_time, serialize_time


def test_times_go_out_in_utc() -> None:
    seoul = timezone(timedelta(hours=9))

    assert serialize_time(datetime(2026, 1, 31, 21, tzinfo=seoul)) == "2026-01-31T12:00:00Z"
    assert serialize_time(datetime(2026, 1, 1, 0, 0, 0, 5000, UTC)) == "2026-01-01T00:00:00.005000Z"


@pytest.mark.parametrize("value", [datetime(2026, 1, 31), "2026-01-31T12:00:00Z", 0])
def test_a_time_without_a_zone_is_a_fault(value: object) -> None:
    with pytest.raises(GraphQLError, match="Not a time with a zone"):
        serialize_time(value)


def test_times_come_in_with_any_zone() -> None:
    assert parse_time("2026-01-31T21:00:00+09:00") == datetime(2026, 1, 31, 12, tzinfo=UTC)
    assert parse_time("2026-01-31T21:00:00+09:00").tzinfo is UTC


@pytest.mark.parametrize("value", ["", "now", "2026-01-31", "2026-01-31T12:00:00", 0, None])
def test_other_times_are_refused(value: object) -> None:
    with pytest.raises(GraphQLError, match="RFC 3339"):
        parse_time(value)


@pytest.mark.parametrize("value", [0, 2**63 - 1, -(2**63)])
def test_64_bits_hold_these(value: int) -> None:
    assert integer_of_64_bits(value) == value


@pytest.mark.parametrize("value", [2**63, -(2**63) - 1, True, 1.0, "1", None])
def test_64_bits_do_not_hold_these(value: object) -> None:
    with pytest.raises(GraphQLError, match=r"2\^63"):
        integer_of_64_bits(value)
