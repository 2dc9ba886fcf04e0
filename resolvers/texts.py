"""Text that no database takes: NUL, and halves of characters (unpaired surrogates)."""

from collections.abc import Mapping
from typing import Any

from graphql import DocumentNode, StringValueNode, Visitor, visit

# Inputs whose every character is checked where they are read, with a message for the field.
_CHECKED = frozenset({"name", "description", "tags", "slug", "to"})


def has_unusable(value: Any) -> bool:
    """Whether there is such text anywhere in the variables of an operation."""
    left = [value]
    while left:
        item = left.pop()
        if isinstance(item, str):
            if "\0" in item or not (item.isascii() or _encodes(item)):
                return True
        elif isinstance(item, Mapping):
            left += [part for name, part in item.items() if name not in _CHECKED]
        elif isinstance(item, list):
            left += item
    return False


def has_unusable_literal(query: str, document: DocumentNode) -> bool:
    """Whether there is such text in the document itself, where only an escape can put it."""
    if "\\u" not in query:
        return False
    literals = _Literals()
    visit(document, literals)
    return any(map(has_unusable, literals.found))


class _Literals(Visitor):
    def __init__(self) -> None:
        super().__init__()
        self.found: list[str] = []

    def enter_string_value(self, node: StringValueNode, *_: Any) -> None:
        self.found.append(node.value)


def _encodes(text: str) -> bool:
    try:
        text.encode()
    except UnicodeEncodeError:
        return False
    return True
