"""Answers a registry's challenges: Basic, and Bearer by way of a token service.

The login goes to the registry itself or to the token service that it names, and to that one only
where nobody can listen. Tokens are kept per scope until shortly before they expire.
"""

import asyncio
import collections
import json
import re
import time
from collections.abc import Iterable
from dataclasses import dataclass, field

import aiohttp
from yarl import URL

from engine.registry.access import Access
from engine.registry.challenge import Challenge, parse_challenges
from engine.registry.credentials import Credentials, is_confidential
from engine.registry.errors import RegistryDenied, RegistryProtocolError, RegistryUnreachable
from engine.registry.failure import broken_connection, read_limited

_ANSWER_LIMIT = 1024 * 1024
_PATIENCE = aiohttp.ClientTimeout(total=30, sock_connect=10)
_DEFAULT_LIFE = 60.0
"""Seconds that a token holds when its service does not say (Distribution's specification)."""
_BEARER = re.compile(r"[A-Za-z0-9._~+/-]+=*")


@dataclass(frozen=True, slots=True)
class Token:
    """A bearer token; `expires` is on the monotonic clock."""

    value: str = field(repr=False)
    expires: float

    @property
    def fresh(self) -> bool:
        """Whether it still holds."""
        return time.monotonic() < self.expires


class Authenticator:
    """Knows which `Authorization` header each kind of access needs at one registry."""

    def __init__(self, host: str, credentials: Credentials | None) -> None:
        self._host = host
        self._credentials = credentials
        self._basic = False
        self._tokens: dict[str, Token] = {}
        self._locks: dict[str, asyncio.Lock] = collections.defaultdict(asyncio.Lock)

    @property
    def username(self) -> str | None:
        """Who is logged in, if anybody."""
        return self._credentials.username if self._credentials else None

    @property
    def basic(self) -> dict[str, str]:
        """The login as a header, for what does not ask for one; empty without a login."""
        return {"Authorization": self._credentials.basic} if self._credentials else {}

    def header(self, access: Access) -> str | None:
        """The header for `access` as far as it is known by now."""
        if self._basic and self._credentials:
            return self._credentials.basic
        token = self._tokens.get(access.scope)
        return f"Bearer {token.value}" if token and token.fresh else None

    async def answer(
        self,
        session: aiohttp.ClientSession,
        challenges: Iterable[str],
        access: Access,
        refused: str | None,
    ) -> str | None:
        """The header to try again with after `refused` was; None when there is nothing to try.

        Raises RegistryDenied when the token service refuses the login.
        """
        # One request fetches the token; those that were challenged meanwhile take it over.
        async with self._locks[access.scope]:
            known = self.header(access)
            if known and known != refused:
                return known
            return await self._log_in(session, parse_challenges(challenges), access, known)

    def redact(self, text: str) -> str:
        """`text` without our secrets, should a registry repeat them."""
        secrets = [token.value for token in self._tokens.values()]
        if self._credentials:
            secrets += [self._credentials.basic.removeprefix("Basic "), self._credentials.password]
        for secret in filter(None, secrets):
            text = text.replace(secret, "***")
        return text

    async def _log_in(
        self,
        session: aiohttp.ClientSession,
        challenges: list[Challenge],
        access: Access,
        known: str | None,
    ) -> str | None:
        schemes = {challenge.scheme: challenge for challenge in reversed(challenges)}
        if bearer := schemes.get("bearer"):
            token = await self._fetch(session, bearer, access)
            self._tokens[access.scope] = token
            return f"Bearer {token.value}"
        if "basic" in schemes and self._credentials:
            self._basic = True
            # A Basic header that was refused is not worth sending twice.
            return None if known else self._credentials.basic
        return None

    async def _fetch(
        self, session: aiohttp.ClientSession, challenge: Challenge, access: Access
    ) -> Token:
        realm = self._realm(challenge)
        scope = challenge.parameters.get("scope") or access.scope
        service = challenge.parameters.get("service")
        query = [("service", service)] if service else []
        query += [("scope", part) for part in scope.split()]
        try:
            async with session.get(
                realm.extend_query(query),
                headers=self.basic,
                timeout=_PATIENCE,
                # The login is for this address alone, wherever it might point.
                allow_redirects=False,
            ) as response:
                body = await read_limited(response, _ANSWER_LIMIT, self._service(realm))
                self._check(response.status, realm)
        except (aiohttp.ClientError, TimeoutError) as error:
            raise broken_connection(self._service(realm), error) from error
        return self._token(body, realm)

    def _realm(self, challenge: Challenge) -> URL:
        try:
            realm = URL(challenge.parameters.get("realm", ""))
        except ValueError:
            realm = URL()
        if realm.scheme not in {"http", "https"} or not realm.host:
            raise RegistryProtocolError(
                f"{self._host} asks for a token and names no token service."
            )
        if self._credentials and not is_confidential(realm):
            raise RegistryDenied(
                f"{self._host} sends logins to {realm.host_port_subcomponent} over plain http, "
                "where they can be read on the way. Give its token service an https address."
            )
        return realm.with_user(None).with_fragment(None)

    def _service(self, realm: URL) -> str:
        return f"{self._host}'s token service {realm.host_port_subcomponent}"

    def _check(self, status: int, realm: URL) -> None:
        if status == 200:
            return
        service = self._service(realm)
        if status in {401, 403}:
            whom = (
                f"the login of `{self.username}`" if self._credentials else "access without login"
            )
            raise RegistryDenied(f"{service} refused {whom}.")
        if status == 429 or status >= 500:
            raise RegistryUnreachable(f"{service} failed with status {status}.", retry_after=0)
        raise RegistryProtocolError(f"{service} answered with status {status}.")

    def _token(self, body: bytes, realm: URL) -> Token:
        try:
            answer = json.loads(body)
            value = answer.get("token") or answer["access_token"]
            life = float(answer.get("expires_in") or _DEFAULT_LIFE)
            if not _BEARER.fullmatch(value):
                raise ValueError("not a token")
        except (ValueError, KeyError, TypeError, AttributeError):
            # Not chained: the cause would show a part of the answer, which may hold the token.
            raise RegistryProtocolError(f"{self._service(realm)} issued no token.") from None
        # Early, so that it holds for the request that it is taken for.
        return Token(value, time.monotonic() + life - min(10.0, life / 10))
