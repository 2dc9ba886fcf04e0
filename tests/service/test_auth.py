"""Who they are: tokens over HTTP, WebSocket and for downloads; keys that come and go."""

import asyncio
import base64
import json
import time
from collections.abc import AsyncIterator, Iterator
from typing import Any

import aiohttp
import pytest
from cryptography.hazmat.primitives.asymmetric import rsa
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat

from models.enums import Visibility
from schema import ids
from server import published_keys
from server.authentication import KeysUnavailable, Unauthenticated
from server.json_web_token import TokenAuthenticator
from settings import Settings, WrongSetting, load
from tests.fixtures.service import Server, client_of
from tests.rows import build_of, image, save
from tests.service.quiet import opened, quiet_server
from tests.service.tokens import ADMIN, SECRET, Provider, bearer, provider, token

ISSUER = "https://login.example.com"
SETTINGS = {
    "AUTH": "jwt",
    "JWT_SECRET": SECRET,
    "JWT_ISSUER": ISSUER,
    "JWT_AUDIENCE": "darkroom",
    "JWT_LEEWAY_SECONDS": "0",
}
GOOD = {"iss": ISSUER, "aud": "darkroom"}
VIEWER = "{ viewer { name admin } }"


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    with quiet_server(tmp_path_factory.mktemp("auth"), **SETTINGS) as running:
        yield running


@pytest.fixture
async def session() -> AsyncIterator[aiohttp.ClientSession]:
    async with aiohttp.ClientSession() as found:
        yield found


async def ask(
    session: aiohttp.ClientSession, server: Server, headers: dict[str, str]
) -> tuple[int, Any, str]:
    """Status, body and `WWW-Authenticate` of the question who asks."""
    url = f"{server.url}/graphql"
    async with session.post(url, json={"query": VIEWER}, headers=headers) as answer:
        body = await answer.json(content_type=None)
        return answer.status, body, answer.headers.get("WWW-Authenticate", "")


async def test_a_token_names_its_user(session: aiohttp.ClientSession, server: Server) -> None:
    status, body, _ = await ask(session, server, bearer("mina", **GOOD))
    assert (status, body["data"]["viewer"]) == (200, {"name": "mina", "admin": False})
    _, body, _ = await ask(session, server, bearer("root", **GOOD, **ADMIN))
    assert body["data"]["viewer"] == {"name": "root", "admin": True}


def _forged() -> dict[str, str]:
    """Tokens that must not be accepted, by what is wrong with them."""
    own = rsa.generate_private_key(public_exponent=65537, key_size=2048)
    public = own.public_key().public_bytes(Encoding.PEM, PublicFormat.SubjectPublicKeyInfo)

    def part(value: object) -> str:
        text = value if isinstance(value, bytes) else json.dumps(value).encode()
        return base64.urlsafe_b64encode(text).decode().rstrip("=")

    claims = part({"sub": "mina", "exp": int(time.time()) + 3600, **GOOD})
    header, body, signature = token("mina", **GOOD).split(".")
    admin = part({"sub": "mina", "exp": int(time.time()) + 3600, **GOOD, **ADMIN})
    return {
        "expired": token("mina", **GOOD, exp=int(time.time()) - 1),
        "not valid yet": token("mina", **GOOD, nbf=int(time.time()) + 3600),
        "without expiry": token("mina", **GOOD, exp=None),
        "of another issuer": token("mina", aud="darkroom", iss="https://evil.example.com"),
        "without issuer": token("mina", aud="darkroom"),
        "for another service": token("mina", iss=ISSUER, aud="billing"),
        "for nobody": token("mina", iss=ISSUER),
        "by another secret": token("mina", "another secret of thirty-two characters", **GOOD),
        "by another algorithm": token("mina", algorithm="HS512", **GOOD),
        "unsigned": f"{part({'alg': 'none'})}.{claims}.",
        "unsigned in capitals": f"{part({'alg': 'NONE'})}.{claims}.",
        "without signature": f"{header}.{body}.",
        "with other claims": f"{header}.{admin}.{signature}",
        "of its own key": token("mina", own, "RS256", **GOOD),
        "with its key within": token(
            "mina", own, "RS256", **GOOD, headers={"jwk": {"kty": "oct", "k": part(public)}}
        ),
        "without name": token(None, **GOOD),
        "with an empty name": token("", **GOOD),
        "with a long name": token("a" * 256, **GOOD),
        "with a name that is a command": token("a\x1b[2J", **GOOD),
        "no token": "abc",
        "four parts": "a.b.c.d",
        "huge": "a" * 20_000,
        "header no JSON": f"{part(b'[')}.{claims}.{signature}",
        "header a list": f"{part([1])}.{claims}.{signature}",
        "claims no object": f"{header}.{part([1])}.{signature}",
        "algorithm a list": f"{part({'alg': ['HS256']})}.{claims}.{signature}",
        "not ASCII": "ä.ö.ü",
    }


FORGED = _forged()


@pytest.mark.parametrize("wrong", FORGED)
async def test_a_wrong_token_is_refused(
    session: aiohttp.ClientSession, server: Server, wrong: str
) -> None:
    headers = {"Authorization": f"Bearer {FORGED[wrong]}"}
    status, body, challenge = await ask(session, server, headers)
    assert status == 401, body
    assert challenge.startswith('Bearer realm="darkroom", error="invalid_token", error_descr')
    assert list(body) == ["errors"]
    assert FORGED[wrong] not in str(body) + challenge


@pytest.mark.parametrize("header", [None, "", "Bearer", "Basic bWluYTptaW5h", "Token abc"])
async def test_without_a_token_no_error_is_named(
    session: aiohttp.ClientSession, server: Server, header: str | None
) -> None:
    headers = {} if header is None else {"Authorization": header}
    assert await ask(session, server, headers) == (
        401,
        {"errors": [{"message": "Send a token: `Authorization: Bearer …`."}]},
        'Bearer realm="darkroom"',
    )


async def test_pages_and_health_need_no_token(
    session: aiohttp.ClientSession, server: Server
) -> None:
    for path in ("/graphiql", "/healthz"):
        async with session.get(f"{server.url}{path}") as answer:
            assert answer.status == 200, path


async def connect(
    session: aiohttp.ClientSession, server: Server, payload: object, **headers: str
) -> aiohttp.ClientWebSocketResponse:
    socket = await session.ws_connect(
        f"{server.url.replace('http', 'ws')}/graphql",
        protocols=["graphql-transport-ws"],
        headers=headers,
    )
    await socket.send_json({"type": "connection_init", "payload": payload})
    return socket


@pytest.mark.parametrize("name", ["Authorization", "authorization", "AUTHORIZATION"])
async def test_a_websocket_names_its_user_when_it_begins(
    session: aiohttp.ClientSession, server: Server, name: str
) -> None:
    payload = {name: bearer("mina", **GOOD)["Authorization"]}
    async with await connect(session, server, payload) as socket:
        assert (await socket.receive_json())["type"] == "connection_ack"
        await socket.send_json({"id": "1", "type": "subscribe", "payload": {"query": VIEWER}})
        answer = await socket.receive_json()
        assert answer["payload"]["data"]["viewer"] == {"name": "mina", "admin": False}


async def test_a_program_may_send_the_header_with_the_handshake(
    session: aiohttp.ClientSession, server: Server
) -> None:
    async with await connect(session, server, {}, **bearer("mina", **GOOD)) as socket:
        assert (await socket.receive_json())["type"] == "connection_ack"


@pytest.mark.parametrize("wrong", [None, "expired", "unsigned", "of another issuer"])
async def test_a_websocket_without_a_good_token_is_closed(
    session: aiohttp.ClientSession, server: Server, wrong: str | None
) -> None:
    payload = {"Authorization": f"Bearer {FORGED[wrong]}"} if wrong else None
    async with await connect(session, server, payload) as socket:
        message = await socket.receive(timeout=5)
        assert message.type is aiohttp.WSMsgType.CLOSE
        assert socket.close_code == 4403


async def test_nothing_is_answered_before_the_token(
    session: aiohttp.ClientSession, server: Server
) -> None:
    async with session.ws_connect(
        f"{server.url}/graphql", protocols=["graphql-transport-ws"]
    ) as socket:
        await socket.send_json({"id": "1", "type": "subscribe", "payload": {"query": VIEWER}})
        await socket.receive(timeout=5)
        assert socket.close_code == 4401


async def test_a_websocket_ends_when_its_token_does(
    session: aiohttp.ClientSession, server: Server
) -> None:
    expires = int(time.time()) + 2
    payload = bearer("mina", **GOOD, exp=expires)
    async with await connect(session, server, payload) as socket:
        assert (await socket.receive_json())["type"] == "connection_ack"
        query = "subscription { imageChanged { id } }"
        await socket.send_json({"id": "1", "type": "subscribe", "payload": {"query": query}})
        await socket.receive(timeout=5)
        assert socket.close_code == 4403
        assert expires <= time.time() < expires + 1


async def test_an_event_stream_ends_when_its_token_does(
    session: aiohttp.ClientSession, server: Server
) -> None:
    expires = int(time.time()) + 2
    headers = {"Accept": "text/event-stream", **bearer("mina", **GOOD, exp=expires)}
    query = {"query": "subscription { imageChanged { id } }"}
    async with session.post(f"{server.url}/graphql", json=query, headers=headers) as answer:
        assert answer.status == 200
        async with asyncio.timeout(8):
            await answer.read()
    assert expires <= time.time() < expires + 1


async def test_a_log_is_downloaded_by_header_or_by_its_signed_link(
    session: aiohttp.ClientSession, server: Server
) -> None:
    async with opened(server):
        row = await save(image(owner="mina", visibility=Visibility.PRIVATE))
        build = await build_of(row)
        other = await build_of(row, 2)
    id_ = ids.encode("Build", build.id)
    async with client_of(server.url, **bearer("mina", **GOOD)) as client:
        link = (await client.ask("query($id: ID!) { build(id: $id) { logUrl } }", id=id_))["logUrl"]

    async def get(url: str, headers: dict[str, str] | None = None) -> int:
        async with session.get(url, headers=headers) as answer:
            await answer.read()
            return answer.status

    assert await get(link) == 200
    assert await get(link + "?follow=1") == 200
    assert await get(link.replace(f"/{build.id}/", f"/{other.id}/")) == 401
    assert await get(link[:-2]) == 401
    plain, signature = link.rsplit("/", 1)
    assert await get(plain) == 401
    assert await get(plain, bearer("mina", **GOOD)) == 200
    assert await get(plain, bearer("eve", **GOOD)) == 404
    assert await get(plain, bearer("root", **GOOD, **ADMIN)) == 200
    assert await get(f"{plain}/{token('mina', **GOOD)}") == 401  # a token of another kind
    assert (await ask(session, server, {"Authorization": f"Bearer {signature}"}))[0] == 401


def settings(**given: Any) -> Settings:
    return Settings(auth="jwt", **given)


async def name_of(authenticator: TokenAuthenticator, text: str) -> str:
    return (await authenticator.identify(f"Bearer {text}")).viewer.name


async def test_published_keys_are_cached_and_rotate(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(published_keys, "PAUSE", 0.2)
    async with provider() as published:
        first = published.add_rsa("one")
        async with TokenAuthenticator.opened(settings(jwt_jwks_url=published.url)) as found:
            by_first = token("mina", first, "RS256", headers={"kid": "one"})
            for _ in range(3):
                assert await name_of(found, by_first) == "mina"
            assert published.asked == 1

            del published.keys["one"]
            second = published.add_ec("two")
            await asyncio.sleep(0.2)  # the pause between two readings
            by_second = token("eve", second, "ES256", headers={"kid": "two"})
            assert await name_of(found, by_second) == "eve"
            assert published.asked == 2
            with pytest.raises(Unauthenticated):
                await name_of(found, by_first)


async def test_made_up_key_ids_do_not_become_requests() -> None:
    async with provider() as published:
        key = published.add_rsa("one")
        async with TokenAuthenticator.opened(settings(jwt_jwks_url=published.url)) as found:
            for number in range(20):
                with pytest.raises(Unauthenticated):
                    await name_of(found, token("m", key, "RS256", headers={"kid": str(number)}))
            assert published.asked == 1
            assert await name_of(found, token("mina", key, "RS256")) == "mina"


async def test_keys_outlive_their_server(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(published_keys, "PAUSE", 0)
    monkeypatch.setattr(published_keys, "FRESH", 0)
    async with provider() as published:
        key = published.add_rsa("one")
        async with TokenAuthenticator.opened(settings(jwt_jwks_url=published.url)) as found:
            text = token("mina", key, "RS256")
            published.broken = True
            with pytest.raises(KeysUnavailable):
                await name_of(found, text)
            published.broken = False
            assert await name_of(found, text) == "mina"
            published.broken = True
            assert await name_of(found, text) == "mina"


async def test_a_public_key_is_no_shared_secret(provided: Provider) -> None:
    """The confusion: a public key, known to all, used as the secret of an HS token."""
    key = provided.add_rsa("one")
    public = key.public_key().public_bytes(Encoding.PEM, PublicFormat.SubjectPublicKeyInfo)
    forged = _hmac_token(public)
    for more in ({}, {"jwt_secret": SECRET}):
        async with TokenAuthenticator.opened(settings(jwt_jwks_url=provided.url, **more)) as found:
            with pytest.raises(Unauthenticated):
                await name_of(found, forged)


@pytest.fixture
async def provided() -> AsyncIterator[Provider]:
    async with provider() as found:
        yield found


def _hmac_token(key: bytes) -> str:
    """What PyJWT itself refuses to make."""
    import hashlib
    import hmac

    def part(value: object) -> str:
        return base64.urlsafe_b64encode(json.dumps(value).encode()).decode().rstrip("=")

    claims = {"sub": "root", "exp": int(time.time()) + 3600, **ADMIN}
    signed = f"{part({'alg': 'HS256', 'kid': 'one'})}.{part(claims)}"
    digest = hmac.new(key, signed.encode(), hashlib.sha256).digest()
    return f"{signed}.{base64.urlsafe_b64encode(digest).decode().rstrip('=')}"


@pytest.mark.parametrize(
    ("claims", "name", "admin", "groups"),
    [
        ({"user": "a"}, "a", False, set()),
        ({"user": "a", "roles": ["x", "boss"]}, "a", True, set()),
        ({"user": "a", "roles": "x boss"}, "a", True, set()),
        ({"user": "a", "roles": {"boss": 1}}, "a", False, set()),
        ({"user": "a", "realm": {"teams": ["b", 1, "c"]}}, "a", False, {"b", "c"}),
        ({"user": "a", "realm.teams": "d"}, "a", False, {"d"}),
        ({"user": "a", "realm": "no object"}, "a", False, set()),
    ],
)
async def test_the_claims_are_those_that_the_settings_name(
    claims: dict[str, Any], name: str, admin: bool, groups: set[str]
) -> None:
    chosen = settings(
        jwt_secret=SECRET,
        jwt_name_claim="user",
        jwt_groups_claim="realm.teams",
        jwt_admin_claim="roles",
        jwt_admin_values="boss",
    )
    identity = await TokenAuthenticator(chosen, None).identify(f"Bearer {token(None, **claims)}")
    assert identity.viewer.name == name
    assert identity.viewer.admin is admin
    assert identity.viewer.groups == groups


@pytest.mark.parametrize(
    ("given", "expected"),
    [
        ({}, "DARKROOM_AUTH=jwt needs DARKROOM_JWT_SECRET or DARKROOM_JWT_JWKS_URL"),
        ({"JWT_SECRET": "short"}, "DARKROOM_JWT_SECRET is shorter than 32 characters"),
        ({"JWT_SECRET": SECRET, "JWT_ALGORITHMS": "none"}, "DARKROOM_JWT_ALGORITHMS cannot be"),
        ({"JWT_JWKS_URL": "file:///etc/passwd"}, "DARKROOM_JWT_JWKS_URL cannot be used"),
    ],
)
def test_a_setting_that_cannot_check_tokens_stops_the_start(
    monkeypatch: pytest.MonkeyPatch, given: dict[str, str], expected: str
) -> None:
    for name, value in {"AUTH": "jwt", **given}.items():
        monkeypatch.setenv(f"DARKROOM_{name}", value)
    with pytest.raises(WrongSetting, match=expected) as raised:
        load()
    assert "\n" not in str(raised.value)
    assert "short" not in str(raised.value).replace("shorter", "")
