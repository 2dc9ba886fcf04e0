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
        if not (made_under == order and _is_key(value, id_) and cursor.encode() == text):
            raise InvalidCursor
        return cursor


def _is_key(value: object, id_: object) -> bool:
    """Types are compared exactly: True and 1.0 are equal to 1, and no key."""
    if type(value) not in (str, int, type(None)) or type(id_) is not int:
        return False
    return all(number < 2**63 for number in (value, id_) if isinstance(number, int))
