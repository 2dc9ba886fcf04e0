"""Tokens as an identity provider signs them, and the provider itself."""

import contextlib
import time
from collections.abc import AsyncIterator
from dataclasses import dataclass, field
from typing import Any

import jwt
from aiohttp import web
from cryptography.hazmat.primitives.asymmetric import ec, rsa
from jwt.algorithms import ECAlgorithm, RSAAlgorithm

SECRET = "a shared secret of the tests, as long as HS512 wants it: 64 characters and more"


def token(name: object = "mina", key: Any = SECRET, algorithm: str = "HS256", **claims: Any) -> str:
    """A token of a user that holds for an hour, unless `claims` say otherwise."""
    all_claims: dict[str, Any] = {"sub": name, "exp": int(time.time()) + 3600} | claims
    kept = {claim: value for claim, value in all_claims.items() if value is not None}
    headers: Any = kept.pop("headers", None)
    return jwt.encode(kept, key, algorithm, headers=headers)


def bearer(*args: Any, **claims: Any) -> dict[str, str]:
    """The header with such a token."""
    return {"Authorization": f"Bearer {token(*args, **claims)}"}


ADMIN = {"groups": ["darkroom-admins"]}


@dataclass
class Provider:
    """Publishes the public halves of its keys."""

    keys: dict[str, Any] = field(default_factory=dict)
    url: str = ""
    asked: int = 0
    broken: bool = False

    def add_rsa(self, key_id: str) -> Any:
        self.keys[key_id] = rsa.generate_private_key(public_exponent=65537, key_size=2048)
        return self.keys[key_id]

    def add_ec(self, key_id: str) -> Any:
        self.keys[key_id] = ec.generate_private_key(ec.SECP256R1())
        return self.keys[key_id]

    async def answer(self, request: web.Request) -> web.Response:
        self.asked += 1
        if self.broken:
            return web.Response(status=500)
        return web.json_response({"keys": [self._public(*item) for item in self.keys.items()]})

    def _public(self, key_id: str, key: Any) -> dict[str, Any]:
        kind = RSAAlgorithm if isinstance(key, rsa.RSAPrivateKey) else ECAlgorithm
        return {**kind.to_jwk(key.public_key(), as_dict=True), "kid": key_id, "use": "sig"}


@contextlib.asynccontextmanager
async def provider() -> AsyncIterator[Provider]:
    """An identity provider on a free port of loopback."""
    found = Provider()
    app = web.Application()
    app.router.add_get("/keys", found.answer)
    runner = web.AppRunner(app)
    await runner.setup()
    site = web.TCPSite(runner, "127.0.0.1", 0)
    await site.start()
    found.url = f"http://127.0.0.1:{runner.addresses[0][1]}/keys"
    try:
        yield found
    finally:
        await runner.cleanup()
