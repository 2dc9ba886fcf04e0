"""The public keys that an identity provider publishes (RFC 7517): cached, and rotated with it."""

import asyncio
import contextlib
import json
import logging
import time
from collections.abc import AsyncIterator
from typing import Any

import aiohttp
import jwt

from server.authentication import KeysUnavailable

log = logging.getLogger(__name__)

FRESH = 600  # seconds after which the keys are read again
# An unknown key id makes the keys be read again, at most this often, in seconds: tokens that
# anybody can make up must not become requests to the provider.
PAUSE = 10
PATIENCE = 5  # seconds for an answer
LARGEST = 1024 * 1024  # bytes of an answer


class PublishedKeys:
    """The keys at one address."""

    def __init__(self, session: aiohttp.ClientSession, url: str) -> None:
        self._session = session
        self._url = url
        self._keys: list[jwt.PyJWK] = []
        self._read_at = -float("inf")
        self._tried_at = -float("inf")
        self._reading = asyncio.Lock()

    @classmethod
    @contextlib.asynccontextmanager
    async def opened(cls, url: str) -> AsyncIterator["PublishedKeys"]:
        """The keys at this address, for as long as the block lasts."""
        timeout = aiohttp.ClientTimeout(total=PATIENCE)
        async with aiohttp.ClientSession(timeout=timeout, trust_env=True) as session:
            yield cls(session, url)

    async def find(self, key_id: object, algorithm: str) -> jwt.PyJWK:
        """The key of this id for this algorithm.

        Raises jwt.InvalidSignatureError when there is none, and KeysUnavailable.
        """
        now = time.monotonic()
        if now - self._read_at > FRESH:
            await self._read()
        found = self._find(key_id, algorithm)
        if found is None:
            await self._read()  # the provider may have new keys
            found = self._find(key_id, algorithm)
        if found is None:
            if not self._keys:
                raise KeysUnavailable("The identity provider's keys cannot be read at the moment.")
            raise jwt.InvalidSignatureError
        return found

    def _find(self, key_id: object, algorithm: str) -> jwt.PyJWK | None:
        suiting = [key for key in self._keys if key.algorithm_name == algorithm]
        if key_id is None:
            # A token need not name its key where there is no choice.
            return suiting[0] if len(suiting) == 1 else None
        return next((key for key in suiting if key.key_id == key_id), None)

    async def _read(self) -> None:
        """Read the keys, unless that was tried a moment ago. Old ones stay when it fails."""
        async with self._reading:
            if time.monotonic() - self._tried_at < PAUSE:
                return
            self._tried_at = time.monotonic()
            try:
                self._keys = _usable(await self._fetch())
                self._read_at = time.monotonic()
            except (aiohttp.ClientError, TimeoutError, ValueError) as error:
                log.warning("the keys at %s cannot be read: %r", self._url, error)

    async def _fetch(self) -> object:
        async with self._session.get(self._url, allow_redirects=False) as answer:
            if answer.status != 200:
                raise ValueError(f"status {answer.status}")
            body = await answer.content.read(LARGEST + 1)
            while len(body) <= LARGEST and (more := await answer.content.read(LARGEST)):
                body += more
            if len(body) > LARGEST:
                raise ValueError(f"more than {LARGEST} bytes")
            return json.loads(body)


def _usable(document: object) -> list[jwt.PyJWK]:
    """The keys that can check signatures; others are passed over (RFC 7517, section 5)."""
    entries = document.get("keys") if isinstance(document, dict) else None
    if not isinstance(entries, list):
        raise ValueError("it is no JSON Web Key Set")
    keys = []
    for entry in entries:
        with contextlib.suppress(jwt.PyJWTError):
            keys += _variants(entry) if isinstance(entry, dict) else []
    if not keys:
        raise ValueError("no key in it can be used")
    return keys


# What a key may be used for that does not say so itself.
_BY_KIND = {"RSA": ("RS256", "RS384", "RS512", "PS256", "PS384", "PS512"), "OKP": ("EdDSA",)}
_BY_CURVE = {"P-256": ("ES256",), "P-384": ("ES384",), "P-521": ("ES512",)}


def _variants(entry: dict[str, Any]) -> list[jwt.PyJWK]:
    """A public signing key, once for each algorithm that it can be used with."""
    kind = entry.get("kty")
    if kind not in ("RSA", "EC", "OKP") or entry.get("use", "sig") != "sig" or "d" in entry:
        return []  # a symmetric or private key is not one to publish
    named = entry.get("alg")
    possible = _BY_CURVE.get(entry.get("crv", ""), ()) if kind == "EC" else _BY_KIND[kind]
    algorithms = [named] if named in possible else [] if named else possible
    return [jwt.PyJWK(entry, algorithm) for algorithm in algorithms]
