"""Requests that are slow, large, or sent by a page of another site."""

import asyncio
import contextlib
import json
import time
from collections.abc import Iterator
from pathlib import Path
from urllib.parse import urlsplit

import aiohttp
import pytest

from tests.fixtures.service import Client, Server
from tests.service.quiet import quiet_server
from tests.service.tokens import bearer

VIEWER = {"query": "{ viewer { name } }"}


async def raw(server: Server, *parts: bytes, pause: float = 0) -> bytes:
    """What the server says to these bytes, until it closes the connection."""
    url = urlsplit(server.url)
    reader, writer = await asyncio.open_connection(url.hostname, url.port)
    try:
        with contextlib.suppress(ConnectionError):
            for part in parts:
                writer.write(part)
                await writer.drain()
                await asyncio.sleep(pause)
        async with asyncio.timeout(10):
            with contextlib.suppress(ConnectionError):
                return await reader.read()
        return b""
    finally:
        writer.close()


def is_refused(said: bytes, status: int) -> bool:
    """A server that closes while more is coming may not get its words through."""
    return said == b"" or said.startswith(b"HTTP/1.1 %d " % status)


HEAD = b"POST /graphql HTTP/1.1\r\nHost: localhost\r\nContent-Type: application/json\r\n"


async def test_headers_must_come_in_time(exposed: Server) -> None:
    started = time.monotonic()
    assert (await raw(exposed, b"GET / HTTP/1.1\r\n")).startswith(b"HTTP/1.1 408 ")
    drops = [b"GET / HTTP/1.1\r\n", *[b"X-Slow: 1\r\n"] * 30]
    assert is_refused(await raw(exposed, *drops, pause=0.1), 408)
    assert (await raw(exposed)).startswith(b"HTTP/1.1 408 ")
    assert time.monotonic() - started < 9


async def test_a_body_must_come_in_time(exposed: Server) -> None:
    token = f"Authorization: {bearer('mina')['Authorization']}\r\n".encode()
    head = HEAD + token + b"Content-Length: 1000\r\n\r\n"
    assert (await raw(exposed, head)).startswith(b"HTTP/1.1 408 ")
    assert is_refused(await raw(exposed, head, *[b" "] * 30, pause=0.1), 408)


async def test_headers_may_not_be_large(exposed: Server) -> None:
    many = b"".join(b"X-%d: 1\r\n" % number for number in range(3000))
    for more in (b"X-Large: " + b"a" * 20_000, b"X-Huge: " + b"a" * 5_000_000, many):
        assert is_refused(await raw(exposed, HEAD + more + b"\r\n\r\n"), 431)
    assert (await raw(exposed, b"GET /" + b"a" * 20_000 + b" HTTP/1.1\r\n\r\n")).startswith(
        b"HTTP/1.1 431 "
    )
    assert (await raw(exposed, HEAD + b"X-Large: " + b"a" * 20_000 + b"\r\n\r\n")).startswith(
        b"HTTP/1.1 431 "
    )


async def test_a_body_that_lies_about_its_length_is_cut(user: Client) -> None:
    async def endless() -> object:
        for _ in range(100):
            yield b" " * 100_000

    headers = {"Content-Type": "application/json", **user.headers}
    async with user.session.post(f"{user.url}/graphql", data=endless(), headers=headers) as answer:
        assert answer.status == 413
        assert "larger than 4194304 bytes" in (await answer.json())["errors"][0]["message"]


async def test_a_stranger_sends_no_body_at_all(
    session: aiohttp.ClientSession, exposed: Server
) -> None:
    """Who is unknown is refused by the headers, before anything is received."""
    head = HEAD + b"Connection: close\r\nContent-Length: 4000000000\r\nExpect: 100-continue\r\n\r\n"
    assert (await raw(exposed, head)).startswith((b"HTTP/1.1 401 ", b"HTTP/1.1 413 "))


FOREIGN = "https://evil.example.com"
ORIGINS = [FOREIGN, "null", "https://portal.example.com.evil.example.com", "https://portal"]


@pytest.mark.parametrize("origin", ORIGINS)
async def test_a_page_of_another_site_is_refused(user: Client, origin: str) -> None:
    headers = {"Origin": origin, "X-Requested-With": "x", **user.headers}
    url = f"{user.url}/graphql"
    async with user.session.post(url, json=VIEWER, headers=headers) as answer:
        assert answer.status == 403
        assert "Access-Control-Allow-Origin" not in answer.headers
    async with user.session.get(url, params=VIEWER, headers=headers) as answer:
        assert answer.status == 403
    with pytest.raises(aiohttp.WSServerHandshakeError) as raised:
        await user.session.ws_connect(url, protocols=["graphql-transport-ws"], origin=origin)
    assert raised.value.status == 403
    ask = {"Origin": origin, "Access-Control-Request-Method": "POST"}
    async with user.session.options(url, headers=ask) as answer:
        assert "Access-Control-Allow-Origin" not in answer.headers


async def test_a_page_of_an_allowed_origin_may_ask(user: Client) -> None:
    origin, url = "https://portal.example.com", f"{user.url}/graphql"
    ask = {
        "Origin": origin,
        "Access-Control-Request-Method": "POST",
        "Access-Control-Request-Headers": "authorization,content-type",
    }
    async with user.session.options(url, headers=ask) as answer:
        assert answer.status == 200
        assert answer.headers["Access-Control-Allow-Origin"] == origin
        assert "Access-Control-Allow-Credentials" not in answer.headers
    async with user.session.post(
        url, json=VIEWER, headers={"Origin": origin, **user.headers}
    ) as answer:
        assert answer.status == 200
        assert answer.headers["Access-Control-Allow-Origin"] == origin
    socket = await user.session.ws_connect(url, protocols=["graphql-transport-ws"], origin=origin)
    await socket.close()


async def test_a_form_cannot_upload(user: Client) -> None:
    """As a plain HTML form of any page would send it: no header of its own, perhaps no Origin."""
    operations = json.dumps({"query": 'mutation { removeTag(slug: "task/nlp") { __typename } }'})
    for proof, status in (({}, 403), ({"X-Requested-With": "x"}, 200)):
        form = aiohttp.FormData({"operations": operations, "map": "{}"})
        form.add_field("0", b"", filename="x")
        async with user.session.post(
            f"{user.url}/graphql", data=form, headers={**user.headers, **proof}
        ) as answer:
            assert answer.status == status


@pytest.mark.parametrize(
    "content_type", ["text/plain", "application/x-www-form-urlencoded", "application/graphql", ""]
)
async def test_what_a_form_can_send_is_no_operation(user: Client, content_type: str) -> None:
    headers = {"Content-Type": content_type, **user.headers}
    async with user.session.post(
        f"{user.url}/graphql", data=json.dumps(VIEWER), headers=headers
    ) as answer:
        assert answer.status in (403, 415)


async def test_nothing_is_changed_by_get(user: Client) -> None:
    mutation = {"query": 'mutation { removeTag(slug: "task/nlp") { __typename } }'}
    async with user.session.get(
        f"{user.url}/graphql", params=mutation, headers=user.headers
    ) as answer:
        assert answer.status in (400, 405)


@pytest.mark.parametrize("method", ["PUT", "DELETE", "PATCH", "TRACE"])
async def test_other_methods_are_refused(user: Client, method: str) -> None:
    async with user.session.request(
        method, f"{user.url}/graphql", json=VIEWER, headers=user.headers
    ) as answer:
        assert answer.status == 405


PAGES = ["/graphiql", "/healthz", "/readyz", "/graphql", "/builds/1/log", "/nothing", "/../etc"]


@pytest.mark.parametrize("path", PAGES)
async def test_every_page_carries_the_security_headers(
    session: aiohttp.ClientSession, exposed: Server, path: str
) -> None:
    async with session.get(f"{exposed.url}{path}") as answer:
        headers = answer.headers
        body = await answer.text()
    assert headers["X-Content-Type-Options"] == "nosniff"
    assert headers["X-Frame-Options"] == "DENY"
    assert headers["Referrer-Policy"] == "no-referrer"
    assert "default-src 'none'" in headers["Content-Security-Policy"]
    assert "frame-ancestors 'none'" in headers["Content-Security-Policy"]
    assert "unsafe" not in headers["Content-Security-Policy"]
    assert "Server" not in headers
    assert "Traceback" not in body


@pytest.fixture(scope="module")
def local(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    folder: Path = tmp_path_factory.mktemp("local")
    settings = {"ALLOWED_HOSTS": "darkroom.example.com", "INTROSPECTION": "false"}
    with quiet_server(folder, **settings) as running:
        yield running


@pytest.mark.parametrize(
    ("host", "status"),
    [
        ("localhost", 200),
        ("127.0.0.1:8000", 200),
        ("[::1]:8000", 200),
        ("darkroom:8000", 200),
        ("darkroom.example.com", 200),
        ("evil.example.com", 421),
        ("127.0.0.1.evil.example.com", 421),
        ("evil.example.com:8000", 421),
    ],
)
async def test_a_name_that_was_rebound_to_this_machine_is_refused(
    session: aiohttp.ClientSession, local: Server, host: str, status: int
) -> None:
    """Where everybody is an administrator, a page must not become everybody (DNS rebinding)."""
    headers = {"Host": host, "Origin": f"http://{host}"}
    async with session.post(f"{local.url}/graphql", json=VIEWER, headers=headers) as answer:
        assert answer.status == status
    async with session.get(f"{local.url}/graphql", params=VIEWER, headers=headers) as answer:
        assert answer.status == status


async def test_introspection_can_be_turned_off(
    session: aiohttp.ClientSession, local: Server
) -> None:
    for query in (
        "{ __schema { types { name } } }",
        '{ a: __type(name: "Image") { name } }',
        "{ ...f } fragment f on Query { __schema { types { name } } }",
    ):
        async with session.post(f"{local.url}/graphql", json={"query": query}) as answer:
            body = await answer.json()
        assert body["errors"][0]["message"].startswith("This service does not answer questions")
    async with session.post(f"{local.url}/graphql", json={"query": "{ __typename }"}) as answer:
        assert (await answer.json())["data"] == {"__typename": "Query"}
