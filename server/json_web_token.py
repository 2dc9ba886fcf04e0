"""Bearer tokens as JSON Web Tokens (RFC 7519), checked as RFC 8725 advises.

The algorithm is one of those that the settings allow for the kind of key, never what the token
asks for: a shared secret checks HS algorithms alone, the published keys check none of them.
"""

import contextlib
from collections.abc import AsyncIterator, Mapping
from typing import Any

import jwt

from schema.context import Viewer
from server.authentication import Identity, Unauthenticated, bearer_token
from server.claims import BadClaims, viewer_of
from server.published_keys import PublishedKeys
from settings import Settings

SHARED = ("HS256", "HS384", "HS512")


class TokenAuthenticator:
    """Knows users by the tokens that an identity provider signed."""

    def __init__(self, settings: Settings, keys: PublishedKeys | None) -> None:
        self._settings = settings
        self._keys = keys
        self._secret = settings.jwt_secret.get_secret_value()

    @classmethod
    @contextlib.asynccontextmanager
    async def opened(cls, settings: Settings) -> AsyncIterator["TokenAuthenticator"]:
        """With the connection to the keys' server, where they are published."""
        if not settings.jwt_jwks_url:
            yield cls(settings, None)
            return
        async with PublishedKeys.opened(settings.jwt_jwks_url) as keys:
            yield cls(settings, keys)

    async def identify(self, authorization: str | None) -> Identity:
        """Whom the token names. Raises Unauthenticated and KeysUnavailable."""
        token = bearer_token(authorization)
        try:
            algorithm, key = await self._key(jwt.get_unverified_header(token))
            claims = self._claims(token, key, algorithm)
            return Identity(self._viewer(claims), self._expiry(claims))
        except (jwt.PyJWTError, BadClaims) as error:
            raise Unauthenticated(_told(error)) from None

    async def _key(self, header: Mapping[str, Any]) -> tuple[str, Any]:
        """The algorithm and the key that must have signed the token."""
        algorithm = header.get("alg")
        if not isinstance(algorithm, str) or algorithm not in self._settings.jwt_algorithms:
            raise jwt.InvalidAlgorithmError
        if algorithm in SHARED:
            if not self._secret:
                raise jwt.InvalidAlgorithmError
            return algorithm, self._secret
        if self._keys is None:
            raise jwt.InvalidAlgorithmError
        return algorithm, await self._keys.find(header.get("kid"), algorithm)

    def _claims(self, token: str, key: Any, algorithm: str) -> dict[str, Any]:
        settings = self._settings
        claims: dict[str, Any] = jwt.decode(
            token,
            key,
            algorithms=[algorithm],
            issuer=settings.jwt_issuer or None,
            audience=settings.jwt_audience or None,
            leeway=settings.jwt_leeway_seconds,
            options={
                "require": ["exp"],
                "verify_aud": bool(settings.jwt_audience),
                "verify_iss": bool(settings.jwt_issuer),
            },
        )
        return claims

    def _viewer(self, claims: Mapping[str, Any]) -> Viewer:
        return viewer_of(claims, self._settings)

    def _expiry(self, claims: Mapping[str, Any]) -> float:
        return float(claims["exp"]) + self._settings.jwt_leeway_seconds


def _told(error: Exception) -> str:
    """What the caller learns; the library's own words may repeat the token's content."""
    for kind, message in _MESSAGES.items():
        if isinstance(error, kind):
            return message
    return str(error) if isinstance(error, BadClaims) else "The token is not valid."


_MESSAGES: dict[type[Exception], str] = {
    jwt.ExpiredSignatureError: "The token has expired. Get a new one.",
    jwt.ImmatureSignatureError: "The token is not valid yet. Compare the servers' clocks.",
    jwt.InvalidIssuerError: "The token is from another issuer.",
    jwt.InvalidAudienceError: "The token is meant for another service.",
    jwt.MissingRequiredClaimError: "The token lacks a claim that is needed: exp, iss or aud.",
    jwt.InvalidAlgorithmError: "The token is signed by an algorithm that is not allowed.",
    jwt.InvalidSignatureError: "The token's signature is wrong.",
}
