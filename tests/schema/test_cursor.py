import json
from base64 import urlsafe_b64encode

import pytest

from schema.cursor import Cursor, InvalidCursor


def text(value: object) -> str:
    plain = json.dumps(value, separators=(",", ":"))
    return urlsafe_b64encode(plain.encode()).decode().rstrip("=")


@pytest.mark.parametrize("value", ["2026-01-31T12:00:00Z", "/도커/demo:1", "", 2**40, -1, None])
def test_a_cursor_leads_back_to_its_row(value: str | int | None) -> None:
    cursor = Cursor("SIZE", value, 7)

    assert Cursor.decode(cursor.encode(), "SIZE") == cursor


def test_a_cursor_of_another_order_is_refused() -> None:
    with pytest.raises(InvalidCursor, match="Start again without `after`"):
        Cursor.decode(Cursor("NAME", "a", 7).encode(), "SIZE")


@pytest.mark.parametrize(
    "cursor",
    [
        "",
        "a",
        "!",
        "é",
        text("SIZE"),
        text({"order": "SIZE"}),
        text(["SIZE", 1]),
        text(["SIZE", 1, 2, 3]),
        text(["SIZE", 1.0, 7]),
        text(["SIZE", True, 7]),
        text(["SIZE", 1, True]),
        text(["SIZE", 1, None]),
        text(["SIZE", 1, "7"]),
        text(["SIZE", [1], 7]),
        text(["SIZE", 2**63, 7]),
        text(["SIZE", 1, 2**63]),
        text(["SIZE", "\ud800", 7]),
        text(["SIZE", "a\0", 7]),
        text(["SIZE", 1, 7]) + "=",
        text(["SIZE", 1, 7]) + "AAAA",
        urlsafe_b64encode(b"[" * 100_000).decode(),
    ],
)
def test_what_no_list_handed_out_is_refused(cursor: str) -> None:
    with pytest.raises(InvalidCursor):
        Cursor.decode(cursor, "SIZE")
