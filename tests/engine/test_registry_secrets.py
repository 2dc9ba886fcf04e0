"""Where the login and its tokens go, and where they must not."""

import asyncio
import base64

import pytest
from aiohttp import web

from engine.registry import (
    Credentials,
    Registry,
    RegistryDenied,
    RegistryError,
    RegistryProtocolError,
)
from engine.registry.digest import digest_of
from tests.fixtures.images import stream
from tests.servers.answering import Challenger, Recorder, serving

ROBOT = Credentials("robot", "s3cret-Passw0rd")


async def test_one_token_serves_many_requests_at_once() -> None:
    tokens = Recorder(body=b'{"token":"abc","expires_in":300}')
    async with (
        serving(tokens) as realm,
        serving(Challenger(f"http://{realm}/token")) as host,
        Registry(host, ROBOT) as client,
    ):
        await asyncio.gather(*(client.has_blob("a/b", digest_of(b"x")) for _ in range(8)))
        await client.has_blob("a/b", digest_of(b"y"))
    assert len(tokens.asked) == 1
    query = tokens.asked[0].query
    assert (query["service"], query["scope"]) == ("registry", "repository:a/b:pull")
    assert tokens.asked[0].headers["Authorization"] == ROBOT.basic


async def test_a_token_is_not_used_beyond_its_time() -> None:
    tokens = Recorder(body=b'{"access_token":"abc","expires_in":0.001}')
    async with (
        serving(tokens) as realm,
        serving(Challenger(f"http://{realm}/token")) as host,
        Registry(host) as client,
    ):
        for _ in range(2):
            await client.has_blob("a/b", digest_of(b"x"))
            await asyncio.sleep(0.002)  # the token's life, not a state to wait for
    assert len(tokens.asked) == 2
    assert "Authorization" not in tokens.asked[0].headers


async def test_the_login_goes_nowhere_over_plain_http() -> None:
    registry = Challenger("http://tokens.example.com/token")
    async with serving(registry) as host, Registry(host, ROBOT) as client:
        with pytest.raises(RegistryDenied, match=r"tokens\.example\.com over plain http"):
            await client.ping()
    assert all("Authorization" not in request.headers for request in registry.asked)


async def test_the_login_does_not_follow_where_a_token_service_points() -> None:
    thief = Recorder(body=b'{"token":"abc"}')
    async with serving(thief) as elsewhere:
        tokens = Recorder(307, Location=f"http://{elsewhere}/token")
        async with (
            serving(tokens) as realm,
            serving(Challenger(f"http://{realm}/token")) as host,
            Registry(host, ROBOT) as client,
        ):
            with pytest.raises(RegistryProtocolError, match="status 307"):
                await client.ping()
    assert thief.asked == []


async def test_a_blob_is_read_elsewhere_without_the_login() -> None:
    store = Recorder(body=b"layer")
    async with serving(store) as elsewhere:
        basic = Recorder(307, Location=f"http://{elsewhere}/layer")

        async def registry(request: web.Request) -> web.StreamResponse:
            if "Authorization" not in request.headers:
                return web.Response(status=401, headers={"WWW-Authenticate": 'Basic realm="x"'})
            return await basic(request)

        async with serving(registry) as host, Registry(host, ROBOT) as client:
            pieces = [piece async for piece in client.blob("a/b", digest_of(b"layer"))]
    assert pieces == [b"layer"]
    assert basic.asked[0].headers["Authorization"] == ROBOT.basic
    assert "Authorization" not in store.asked[0].headers


async def test_an_upload_continues_elsewhere_without_the_login() -> None:
    thief = Recorder(401, WWW_Authenticate='Basic realm="give it to me"')
    async with serving(thief) as elsewhere:
        begin = Recorder(202, Location=f"http://{elsewhere}/upload?state=1")

        async def registry(request: web.Request) -> web.StreamResponse:
            if "Authorization" not in request.headers:
                return web.Response(status=401, headers={"WWW-Authenticate": 'Basic realm="x"'})
            return await begin(request)

        async with serving(registry) as host, Registry(host, ROBOT) as client:
            with pytest.raises(RegistryDenied):
                await client.upload_blob("a/b", digest_of(b"x"), stream(b"x"), 1)
    assert [request.method for request in thief.asked] == ["PUT", "DELETE"]
    assert all("Authorization" not in request.headers for request in thief.asked)


@pytest.mark.parametrize("body", [b"{}", b"[]", b"no", b'{"token":7}', b'{"token":"a\\r\\nb: c"}'])
async def test_what_is_no_token_is_refused(body: bytes) -> None:
    async with (
        serving(Recorder(body=body)) as realm,
        serving(Challenger(f"http://{realm}/token")) as host,
        Registry(host) as client,
    ):
        with pytest.raises(RegistryProtocolError, match="issued no token"):
            await client.ping()


async def test_no_message_repeats_a_secret() -> None:
    pair = base64.b64encode(f"{ROBOT.username}:{ROBOT.password}".encode()).decode()

    async def echo(request: web.Request) -> web.StreamResponse:
        header = request.headers.get("Authorization")
        challenge = {"WWW-Authenticate": 'Basic realm="x"'}
        if header is None:
            return web.Response(status=401, headers=challenge)
        words = f"you sent {header}, that is {ROBOT.password}"
        return web.json_response({"errors": [{"code": "DENIED", "message": words}]}, status=403)

    async with serving(echo) as host, Registry(host, ROBOT) as client:
        with pytest.raises(RegistryError) as refused:
            await client.image("a/b", "1")
    assert "you sent Basic ***, that is ***" in refused.value.message
    assert pair not in refused.value.message
