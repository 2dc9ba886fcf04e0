"""Cursors of keyset pages: the sort key of a row, opaque to clients."""

import json
from base64 import urlsafe_b64decode, urlsafe_b64encode
from dataclasses import dataclass
from typing import Self

from graphql import GraphQLError


class InvalidCursor(GraphQLError):
    """A cursor that this list did not hand out."""

    def __init__(self) -> None:
        super().__init__(
            "This cursor is not one of this list in this order. "
            "Start again without `after`, or use a cursor that the same query returned."
        )


@dataclass(frozen=True, slots=True)
class Cursor:
    """Where a row stands in an order: its value, and its id where values are equal.

    `order` says which order that is, so that a cursor is not misread under another one. Times are
    written as text by whoever makes the cursor; None is the value of a row that has none.
    """

    order: str
    value: str | int | None
    id: int

    def encode(self) -> str:
        """Text that clients give back as it is."""
        text = json.dumps([self.order, self.value, self.id], separators=(",", ":"))
        return urlsafe_b64encode(text.encode()).decode().rstrip("=")

    @classmethod
    def decode(cls, text: str, order: str) -> Self:
        """The cursor that `encode` wrote under the same order.

        Raises InvalidCursor for anything else, because a page from a wrong place would look right.
        """
        try:
            padded = text.encode("ascii") + b"=" * (-len(text) % 4)
            made_under, value, id_ = json.loads(urlsafe_b64decode(padded))
            cursor = cls(made_under, value, id_)
        except (ValueError, TypeError, RecursionError):
            raise InvalidCursor from None
        if made_under != order or cursor.encode() != text:
            raise InvalidCursor
        if not (_is_integer(id_) and (value is None or _is_integer(value) or _is_text(value))):
            raise InvalidCursor
        return cursor


def _is_integer(value: object) -> bool:
    """An integer that a database takes; True and 1.0 are equal to 1, and no integers."""
    return type(value) is int and -(2**63) <= value < 2**63


def _is_text(value: object) -> bool:
    """Text that a database takes: it has neither halves of characters nor NUL."""
    if not isinstance(value, str) or "\0" in value:
        return False
    return not any("\ud800" <= character <= "\udfff" for character in value)
