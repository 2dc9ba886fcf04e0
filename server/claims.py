"""Whom a token's claims name, by the settings that say which claims those are."""

from collections.abc import Mapping
from typing import Any

from schema.context import Viewer
from settings import Settings

LONGEST_NAME = 255  # characters, as the record has them


class BadClaims(Exception):
    """The claims name nobody; the message is safe to tell."""


def viewer_of(claims: Mapping[str, Any], settings: Settings) -> Viewer:
    """The user whom the claims name. Raises BadClaims."""
    name = claim(claims, settings.jwt_name_claim)
    if not isinstance(name, str) or not 0 < len(name) <= LONGEST_NAME or not name.isprintable():
        raise BadClaims(f"The token's claim {settings.jwt_name_claim} does not name a user.")
    values = _texts(claim(claims, settings.jwt_admin_claim))
    return Viewer(
        name=name,
        admin=not values.isdisjoint(settings.jwt_admin_values),
        groups=frozenset(_texts(claim(claims, settings.jwt_groups_claim))),
    )


def claim(claims: Mapping[str, Any], path: str) -> Any:
    """The claim of this name, or at this path of names joined by dots; None when there is none.

    The whole name is tried first: some providers name claims by addresses, which have dots.
    """
    if path in claims:
        return claims[path]
    found: Any = claims
    for name in path.split("."):
        found = found.get(name) if isinstance(found, Mapping) else None
    return found


def _texts(value: object) -> set[str]:
    """A claim as a set of texts: a list, or words (as OAuth's `scope` has them), or `true`."""
    if value is True:
        return {"true"}
    if isinstance(value, str):
        return set(value.split())
    return {item for item in value if isinstance(item, str)} if isinstance(value, list) else set()
