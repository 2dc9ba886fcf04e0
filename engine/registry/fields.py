"""Typed reading of JSON that somebody else wrote."""

import json
from collections.abc import Mapping
from typing import Any

Object = Mapping[str, Any]


class Malformed(ValueError):
    """A document lacks a field, or holds something else in it; the message names the field."""


def parse_object(body: bytes) -> Object:
    """The JSON object in `body`; raises Malformed."""
    try:
        value = json.loads(body)
    except (ValueError, RecursionError) as error:
        raise Malformed("it is not JSON") from error
    return _object(value, "it")


def parse_objects(body: bytes) -> tuple[Object, ...]:
    """The JSON list of objects in `body`; raises Malformed."""
    return objects(parse_object(b'{"list": %s}' % body), "list")


def text(source: Object, key: str) -> str:
    """A string that must be there."""
    value = source.get(key)
    if not isinstance(value, str):
        raise Malformed(f"`{key}` is not a string")
    return value


def optional_text(source: Object, key: str) -> str | None:
    """A string, or None where it is missing, null or empty."""
    return text(source, key) or None if source.get(key) is not None else None


def texts(source: Object, key: str) -> tuple[str, ...] | None:
    """A list of strings; None where it is missing or null."""
    value = source.get(key)
    if value is None:
        return None
    if not isinstance(value, list) or not all(isinstance(item, str) for item in value):
        raise Malformed(f"`{key}` is not a list of strings")
    return tuple(value)


def text_map(source: Object, key: str) -> dict[str, str]:
    """An object whose values are strings; empty where it is missing or null."""
    value = nested(source, key)
    if not all(isinstance(item, str) for item in value.values()):
        raise Malformed(f"`{key}` holds more than strings")
    return dict(value)


def size(source: Object, key: str) -> int:
    """A number of bytes that must be there."""
    value = source.get(key)
    if not isinstance(value, int) or isinstance(value, bool) or value < 0:
        raise Malformed(f"`{key}` is not a size")
    return value


def nested(source: Object, key: str) -> Object:
    """An object; empty where it is missing or null."""
    value = source.get(key)
    return {} if value is None else _object(value, f"`{key}`")


def objects(source: Object, key: str) -> tuple[Object, ...]:
    """A list of objects; empty where it is missing or null."""
    value = source.get(key)
    if value is None:
        return ()
    if not isinstance(value, list):
        raise Malformed(f"`{key}` is not a list")
    return tuple(_object(item, f"an entry of `{key}`") for item in value)


def _object(value: object, name: str) -> Object:
    if not isinstance(value, dict):
        raise Malformed(f"{name} is not an object")
    return value
