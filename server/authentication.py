"""Who asks: the one local user, or whom a Bearer token names (RFC 6750)."""

import contextlib
import getpass
import time
from collections.abc import AsyncIterator
from dataclasses import dataclass
from typing import Protocol

from starlette.requests import HTTPConnection

from schema.context import Viewer
from settings import Settings

IDENTITY = "darkroom.identity"  # where a request's ASGI scope has it, once it is known
REALM = 'Bearer realm="darkroom"'
_LONGEST = 16_384  # characters of a token; those of OpenID Connect have one or two thousand


@dataclass(frozen=True, slots=True)
class Identity:
    """A viewer, and until when they are one (seconds since the epoch; None is for ever)."""

    viewer: Viewer
    expires: float | None = None

    @property
    def seconds_left(self) -> float | None:
        """How long it still holds; None is for ever."""
        return None if self.expires is None else self.expires - time.time()


class Unauthenticated(Exception):
    """Nobody is known to ask: no token, or one that is not accepted. Told as 401."""

    def __init__(self, message: str, *, invalid: bool = True) -> None:
        super().__init__(message)
        self.message = message
        self._invalid = invalid

    @property
    def headers(self) -> dict[str, str]:
        """What a 401 carries. Without a token, no error is named (RFC 6750, section 3.1)."""
        if not self._invalid:
            return {"WWW-Authenticate": REALM}
        told = f'error="invalid_token", error_description="{self.message}"'
        return {"WWW-Authenticate": f"{REALM}, {told}"}


class KeysUnavailable(Exception):
    """The server of the signing keys does not answer, so no token can be judged. Told as 503."""


class Authenticator(Protocol):
    """How this installation knows its users."""

    async def identify(self, authorization: str | None) -> Identity:
        """Who sends this `Authorization` header. Raises Unauthenticated and KeysUnavailable."""


class LocalUser:
    """Everybody is the user who started the service, an administrator."""

    async def identify(self, authorization: str | None) -> Identity:
        """The same for all, whatever they send."""
        return Identity(Viewer(name=getpass.getuser(), admin=True))


def bearer_token(authorization: str | None) -> str:
    """The token of an `Authorization` header. Raises Unauthenticated when there is none."""
    scheme, _, token = (authorization or "").strip().partition(" ")
    token = token.strip()
    if not token or scheme.lower() != "bearer":
        raise Unauthenticated("Send a token: `Authorization: Bearer …`.", invalid=False)
    if len(token) > _LONGEST:
        raise Unauthenticated("The token is too long.")
    return token


@contextlib.asynccontextmanager
async def opened(settings: Settings) -> AsyncIterator[Authenticator]:
    """The authenticator that the settings choose, until the block ends."""
    if settings.auth == "local":
        yield LocalUser()
        return
    from server.json_web_token import TokenAuthenticator

    async with TokenAuthenticator.opened(settings) as found:
        yield found


async def identify(connection: HTTPConnection) -> Identity:
    """Who sends a request. Raises Unauthenticated and KeysUnavailable."""
    authenticator: Authenticator = connection.app.state.authenticator
    return await authenticator.identify(connection.headers.get("authorization"))
