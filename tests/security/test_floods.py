"""Many of what one may have a few of."""

import asyncio
import contextlib
from pathlib import Path

import aiohttp

from server.rates import Rates
from tests.fixtures.service import Client, Server, client_of
from tests.service.quiet import quiet_server
from tests.service.tokens import bearer

CHANGED = {"query": "subscription { imageChanged { id } }"}
VIEWER = {"query": "{ viewer { name } }"}


async def open_socket(user: Client) -> aiohttp.ClientWebSocketResponse:
    socket = await user.session.ws_connect(
        f"{user.url}/graphql", protocols=["graphql-transport-ws"]
    )
    await socket.send_json({"type": "connection_init", "payload": user.headers})
    return socket


async def test_a_thousand_subscriptions_leave_the_server_to_others(
    user: Client, exposed: Server
) -> None:
    """300 on a connection, 500 of a user; whoever comes next is told, and others are served."""
    sockets = [await open_socket(user) for _ in range(3)]
    refused = 0
    for socket in sockets:
        assert (await socket.receive_json())["type"] == "connection_ack"
        for number in range(334):
            await socket.send_json({"id": str(number), "type": "subscribe", "payload": CHANGED})
        await socket.send_json({"id": "last", "type": "ping"})
        while (said := await socket.receive_json(timeout=10))["type"] != "pong":
            assert said["type"] == "error", said
            refused += 1
    assert refused == 1002 - 500
    async with client_of(exposed.url, **bearer("another")) as other:
        assert (await other.ask("{ viewer { name } }"))["name"] == "another"
        mine = await open_socket(other)
        assert (await mine.receive_json())["type"] == "connection_ack"
        await mine.close()
    for socket in sockets:
        await socket.close()
    await _until_free(user)


async def _until_free(user: Client) -> None:
    """What was under way is forgotten once its connections are gone."""
    for _ in range(100):
        socket = await open_socket(user)
        with contextlib.suppress(TypeError):  # it was closed
            if (await socket.receive_json())["type"] == "connection_ack":
                await socket.send_json({"id": "1", "type": "subscribe", "payload": VIEWER})
                if (await socket.receive_json())["type"] == "next":
                    await socket.close()
                    return
        await socket.close()
        await asyncio.sleep(0.05)
    raise AssertionError("the subscriptions still count")


async def test_operations_of_a_user_are_limited_and_others_are_not(tmp_path: Path) -> None:
    settings = {"AUTH": "jwt", "JWT_SECRET": _secret(), "REQUESTS_PER_MINUTE": "20",
                "BATCH_SIZE": "15"}  # fmt: skip
    with quiet_server(tmp_path / "data", **settings) as server:
        async with client_of(server.url, **bearer("mina")) as user:

            async def post(body: object) -> tuple[int, str | None]:
                async with user.session.post(
                    f"{server.url}/graphql", json=body, headers=user.headers
                ) as answer:
                    return answer.status, answer.headers.get("Retry-After")

            for _ in range(5):
                assert await post(VIEWER) == (200, None)
            assert (await post([VIEWER] * 16))[0] == 400
            assert (await post([VIEWER] * 12))[0] == 200
            status, seconds = await post([VIEWER] * 15)
            assert status == 429
            assert seconds is not None
            assert 0 < int(seconds) <= 60
            socket = await open_socket(user)
            assert (await socket.receive_json())["type"] == "connection_ack"
            said = []
            for number in range(20):
                message = {"id": str(number), "type": "subscribe", "payload": VIEWER}
                await socket.send_json(message)
                said.append((await socket.receive_json())["type"])
                if said[-1] == "next":
                    assert (await socket.receive_json())["type"] == "complete"
            assert said[-1] == "error"
            await socket.close()
        async with client_of(server.url, **bearer("another")) as other:
            assert (await other.ask("{ viewer { name } }"))["name"] == "another"


def _secret() -> str:
    from tests.service.tokens import SECRET

    return SECRET


def test_a_bucket_fills_again_and_strangers_do_not_fill_the_memory() -> None:
    rates = Rates(60_000)
    assert rates.take("a", 60_000) == 0
    assert 0 < rates.take("a", 100) <= 0.1
    for number in range(20_000):
        assert rates.take(str(number)) == 0
    assert len(rates._buckets) <= 10_000
    assert Rates(0).take("a", 10**9) == 0
