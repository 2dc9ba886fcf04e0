"""Global ids, as Relay's object identification has them: base64 of `Type:key`.

Clients treat them as opaque. One that is malformed, or of another type, names nothing: it is not
found, like an id whose record is gone.
"""

import strawberry
from strawberry.relay import from_base64, to_base64

# The database's keys are signed 64-bit integers; SQLite refuses to bind a larger one.
MAX_KEY = 2**63 - 1


def encode(kind: str, key: int | str) -> strawberry.ID:
    """The id of the record `key` of the GraphQL type `kind`."""
    return strawberry.ID(to_base64(kind, key))


def parse(id_: str) -> tuple[str, str] | None:
    """Type and key of an id, or None when it is not one that `encode` makes.

    The decoder skips characters outside of base64's alphabet, so one record would have many ids;
    only the canonical one is taken.
    """
    try:
        kind, key = from_base64(id_)
    except ValueError:
        return None
    return (kind, key) if to_base64(kind, key) == id_ else None


def decode(kind: str, id_: str) -> int | None:
    """The key of a record of the type `kind`, or None when the id names none."""
    key = decode_text(kind, id_)
    if key is None or not (key.isascii() and key.isdecimal()):
        return None
    # Python refuses to convert very long numerals, and no key has more than 19 digits.
    if len(key) > len(str(MAX_KEY)) or int(key) > MAX_KEY or str(int(key)) != key:
        return None
    return int(key)


def decode_text(kind: str, id_: str) -> str | None:
    """The key of something that the database does not number, such as a training task."""
    parsed = parse(id_)
    return parsed[1] if parsed and parsed[0] == kind else None
