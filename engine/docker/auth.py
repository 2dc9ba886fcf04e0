"""Credentials for a registry, as the engine wants them."""

import base64
import json
from typing import Protocol


class Credentials(Protocol):
    """An account at a registry."""

    @property
    def username(self) -> str:
        """The account's name."""

    @property
    def password(self) -> str:
        """Its password or token."""


def registry_auth(credentials: Credentials | None) -> dict[str, str]:
    """The header that pull and push read; the engine wants it even when there is no account."""
    account = {}
    if credentials is not None:
        account = {"username": credentials.username, "password": credentials.password}
    encoded = base64.urlsafe_b64encode(json.dumps(account).encode())
    return {"X-Registry-Auth": encoded.decode()}
