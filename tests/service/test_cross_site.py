"""What a page of another site makes a browser send is refused at the door."""

import contextlib

import aiohttp
import pytest

from tests.fixtures.service import Client

UPLOAD = {
    "operations": '{"query": "mutation($f: Upload!) { createImageFromUpload(input: '
    '{name: \\"/a/b:1\\", file: $f}) { __typename } }", "variables": {"f": null}}',
    "map": '{"0": ["variables.f"]}',
}


OF_A_FORM = ("multipart/form-data", "application/x-www-form-urlencoded", "text/plain")


async def test_a_form_of_another_site_is_refused(client: Client) -> None:
    async def status(**headers: str) -> int:
        form = aiohttp.FormData(UPLOAD)
        form.add_field("0", b"FROM scratch\n", filename="Dockerfile")
        post = client.session.post(f"{client.url}/graphql", data=form, headers=headers)
        async with post as answer:
            if answer.status == 403:
                assert (await answer.json())["errors"][0]["message"]
            return answer.status

    evil = "https://evil.example.com"
    assert await status() == 403
    assert await status(Origin=evil) == 403
    assert await status(Origin="null") == 403
    assert await status(**{"Origin": evil, "X-Requested-With": "XMLHttpRequest"}) == 403
    assert await status(Origin=client.url) == 200
    assert await status(**{"Apollo-Require-Preflight": "true"}) == 200


@pytest.mark.parametrize("kind", [*OF_A_FORM, ""])
async def test_what_a_form_can_send_is_refused(client: Client, kind: str) -> None:
    async with client.session.post(
        f"{client.url}/graphql",
        data=b'{"query": "{ __typename }"}',
        headers={"Content-Type": kind},
        skip_auto_headers=["Content-Type"],
    ) as answer:
        assert answer.status == 403


async def test_json_of_another_site_is_refused(client: Client) -> None:
    async with client.session.post(
        f"{client.url}/graphql",
        json={"query": "{ __typename }"},
        headers={"Origin": "https://evil.example.com"},
    ) as answer:
        assert answer.status == 403


async def test_a_websocket_of_another_site_is_refused(client: Client) -> None:
    async def connect(origin: str) -> None:
        async with client.session.ws_connect(
            f"{client.url}/graphql",
            protocols=["graphql-transport-ws"],
            headers={"Origin": origin},
        ) as socket:
            await socket.send_json({"type": "connection_init"})
            assert (await socket.receive_json())["type"] == "connection_ack"

    await connect(client.url)
    for origin in (
        "https://evil.example.com",
        "null",
        client.url.replace("127.0.0.1", "localhost"),
    ):
        with pytest.raises(aiohttp.WSServerHandshakeError) as refused:
            await connect(origin)
        assert refused.value.status == 403


async def test_a_mutation_cannot_be_sent_by_a_link(client: Client) -> None:
    query = 'mutation { cancelBuild(id: "x") { __typename } }'
    async with client.session.get(f"{client.url}/graphql", params={"query": query}) as answer:
        assert answer.status == 400


async def test_a_broken_upload_is_the_senders_mistake(client: Client) -> None:
    for fields_ in ({"operations": "no json", "map": "{}"}, {**UPLOAD, "map": '{"9": ["a"]}'}):
        form = aiohttp.FormData(fields_)
        form.add_field("0", b"x", filename="x")
        post = client.session.post(
            f"{client.url}/graphql", data=form, headers={"X-Requested-With": "tests"}
        )
        with contextlib.suppress(aiohttp.ClientPayloadError):
            async with post as answer:
                assert answer.status in (200, 400)
                assert "Traceback" not in await answer.text()
