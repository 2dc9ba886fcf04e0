"""Addresses of logs that work without a header, as a browser's link or `curl` wants them.

A signed link is a short-lived token of its own kind: for one build's log, in the name of one
viewer. What they may see is asked again when it is used, so a link opens nothing that its maker
can no longer see.
"""

import time

import jwt
from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.hazmat.primitives.kdf.hkdf import HKDF

from engine.sealing import key_of
from schema.context import Viewer
from server.authentication import Identity, Unauthenticated
from settings import Settings

_ALGORITHM = "HS256"
_AUDIENCE = "darkroom:log"


class LogLinks:
    """Makes addresses of logs, and reads the signature of those that come back."""

    def __init__(self, keys: list[bytes], seconds: float) -> None:
        self._keys = keys
        self._seconds = seconds

    @classmethod
    def from_settings(cls, settings: Settings) -> "LogLinks | None":
        """None where everybody may read everything, and links need no signature. Blocking."""
        if settings.auth == "local":
            return None
        given = settings.secret_key.get_secret_value()
        keys = [key.strip() for key in given.split(",") if key.strip()]
        return cls(
            [_derived(key) for key in keys or [key_of(settings.data_dir)]], settings.link_seconds
        )

    def sign(self, build_id: int, identity: Identity) -> str:
        """The signature for the log of one build; it holds no longer than the identity does."""
        expires = time.time() + self._seconds
        if identity.expires is not None:
            expires = min(expires, identity.expires)
        claims = {
            "aud": _AUDIENCE,
            "sub": identity.viewer.name,
            "admin": identity.viewer.admin,
            "build": build_id,
            "exp": int(expires),
        }
        return jwt.encode(claims, self._keys[0], _ALGORITHM)

    def identify(self, signature: str, build_id: int) -> Identity:
        """In whose name the link was made. Raises Unauthenticated."""
        for key in self._keys:
            try:
                claims = jwt.decode(
                    signature,
                    key,
                    [_ALGORITHM],
                    audience=_AUDIENCE,
                    options={"require": ["exp", "sub", "aud"]},
                )
            except jwt.ExpiredSignatureError:
                break
            except jwt.PyJWTError:
                continue
            if claims.get("build") == build_id:
                viewer = Viewer(name=claims["sub"], admin=claims.get("admin") is True)
                return Identity(viewer, float(claims["exp"]))
        raise Unauthenticated("The link has expired or is not of this log. Ask for `logUrl` again.")


def _derived(key: str) -> bytes:
    """A key for this purpose alone."""
    return HKDF(SHA256(), 32, salt=None, info=b"darkroom log links v1").derive(key.encode())
