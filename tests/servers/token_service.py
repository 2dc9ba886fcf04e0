"""A token service that behaves as Harbor's: Basic at the realm, less access for lesser rights.

Run as `python -m tests.servers.token_service <config.json>`; the config's fields are Settings'.
"""

import base64
import hashlib
import json
import secrets
import sys
import time
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from aiohttp import web
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import padding, rsa

LIFE = 1800
"""Seconds that a token holds; Harbor's default."""


@dataclass(frozen=True, slots=True)
class Settings:
    port: int
    key: str
    issuer: str
    service: str
    passwords: dict[str, str]
    actions: dict[str, list[str]]
    """What a user may do with every repository; the user "" is anybody, in `public` alone."""
    public: str


class Refused(Exception):
    """The login is not one of ours."""


def application(settings: Settings) -> web.Application:
    key = serialization.load_pem_private_key(Path(settings.key).read_bytes(), None)
    assert isinstance(key, rsa.RSAPrivateKey)

    async def token(request: web.Request) -> web.Response:
        try:
            user = login(request, settings)
        except Refused:
            return web.json_response({"errors": [{"code": "UNAUTHORIZED"}]}, status=401)
        scopes = " ".join(request.query.getall("scope", [])).split()
        granted = list(grants(settings, user, scopes))
        value = signed(key, claims(settings, user, request.query.get("service", ""), granted))
        return web.json_response({"token": value, "access_token": value, "expires_in": LIFE})

    app = web.Application()
    app.router.add_get("/service/token", token)
    return app


def login(request: web.Request, settings: Settings) -> str:
    header = request.headers.get("Authorization")
    if header is None:
        return ""
    scheme, _, pair = header.partition(" ")
    user, _, password = base64.b64decode(pair).decode().partition(":")
    if scheme != "Basic" or settings.passwords.get(user) != password:
        raise Refused
    return user


def grants(settings: Settings, user: str, scopes: list[str]) -> Iterator[dict[str, Any]]:
    """As much of each scope as the user has a right to, which may be nothing."""
    for scope in scopes:
        kind, _, rest = scope.partition(":")
        name, _, wanted = rest.rpartition(":")
        allowed = settings.actions.get(user, [])
        if not user and not name.startswith(settings.public):
            allowed = []
        if kind == "registry":
            granted = ["*"] if "delete" in allowed else []
        else:
            granted = [action for action in wanted.split(",") if action in allowed]
        yield {"type": kind, "name": name, "actions": granted}


def claims(
    settings: Settings, user: str, service: str, granted: list[dict[str, Any]]
) -> dict[str, Any]:
    now = int(time.time())
    return {
        "iss": settings.issuer,
        "sub": user,
        "aud": service,
        "iat": now,
        "nbf": now - 5,
        "exp": now + LIFE,
        "jti": secrets.token_hex(8),
        "access": granted,
    }


def signed(key: rsa.RSAPrivateKey, content: dict[str, Any]) -> str:
    """A JSON Web Token by RS256 (RFC 7515)."""
    header = {"typ": "JWT", "alg": "RS256", "kid": key_id(key.public_key())}
    message = ".".join(_base64url(json.dumps(part).encode()) for part in (header, content))
    signature = key.sign(message.encode(), padding.PKCS1v15(), hashes.SHA256())
    return f"{message}.{_base64url(signature)}"


def key_id(key: rsa.RSAPublicKey) -> str:
    """libtrust's name of a key: 240 bits of its hash in base32, in groups of four."""
    der = key.public_bytes(
        serialization.Encoding.DER, serialization.PublicFormat.SubjectPublicKeyInfo
    )
    text = base64.b32encode(hashlib.sha256(der).digest()[:30]).decode()
    return ":".join(text[start : start + 4] for start in range(0, len(text), 4))


def _base64url(data: bytes) -> str:
    return base64.urlsafe_b64encode(data).rstrip(b"=").decode()


if __name__ == "__main__":
    config = Settings(**json.loads(Path(sys.argv[1]).read_bytes()))
    web.run_app(application(config), host="127.0.0.1", port=config.port, print=None)
