"""The client against registries that lie, break off, or have no time."""

import asyncio
import time
from collections.abc import AsyncIterator
from email.utils import formatdate

import pytest
from aiohttp import web

from engine.registry import (
    Credentials,
    MediaType,
    Registry,
    RegistryDenied,
    RegistryNotFound,
    RegistryProtocolError,
    RegistryUnreachable,
)
from engine.registry.digest import digest_of
from tests.fixtures.images import tiny_image
from tests.servers.answering import Recorder, serving


async def test_a_blob_with_other_bytes_is_not_taken() -> None:
    async with serving(Recorder(body=b"poison")) as host, Registry(host) as client:
        with pytest.raises(RegistryProtocolError, match="sent sha256:") as refused:
            _ = [piece async for piece in client.blob("a/b", digest_of(b"medicine"))]
        assert digest_of(b"poison") in refused.value.message


async def test_a_blob_that_breaks_off_is_not_taken() -> None:
    async def half(request: web.Request) -> web.StreamResponse:
        response = web.StreamResponse(headers={"Content-Length": "100"})
        await response.prepare(request)
        await response.write(b"half")
        assert request.transport is not None
        request.transport.close()
        return response

    async with serving(half) as host, Registry(host) as client:
        with pytest.raises(RegistryUnreachable, match="broke off the connection"):
            _ = [piece async for piece in client.blob("a/b", digest_of(b"half of it"))]


@pytest.mark.parametrize("reference", ["1", digest_of(b"another")])
async def test_a_manifest_with_other_bytes_is_not_taken(reference: str) -> None:
    made = tiny_image()
    liar = Recorder(
        body=made.manifest,
        Content_Type=made.media_type,
        Docker_Content_Digest=digest_of(b"another"),
    )
    async with serving(liar) as host, Registry(host) as client:
        with pytest.raises(RegistryProtocolError, match="with other bytes than sha256:"):
            await client.manifest("a/b", reference)


@pytest.mark.parametrize(
    ("media_type", "body", "reason"),
    [
        (MediaType.OCI_MANIFEST, b"[]", "it is not an object"),
        (MediaType.OCI_MANIFEST, b"{", "it is not JSON"),
        (MediaType.OCI_MANIFEST, b"[" * 100_000, "it is not JSON"),
        (MediaType.OCI_MANIFEST, b"{}", "`digest` is not a string"),
        (MediaType.OCI_MANIFEST, b'{"config":{"digest":"sha256:../.."}}', "is not a digest"),
        (MediaType.OCI_INDEX, b'{"manifests":7}', "`manifests` is not a list"),
        ("application/vnd.docker.distribution.manifest.v1+json", b"{}", "push it anew"),
        (MediaType.OCI_MANIFEST, b" " * (4 * 1024 * 1024 + 1), "more than 4194304 bytes"),
    ],
)
async def test_a_malformed_manifest_is_named(media_type: str, body: bytes, reason: str) -> None:
    async with (
        serving(Recorder(body=body, Content_Type=media_type)) as host,
        Registry(host) as client,
    ):
        with pytest.raises(RegistryProtocolError) as refused:
            await client.manifest("a/b", "1")
        assert reason in refused.value.message


async def test_without_head_a_manifest_is_resolved_by_reading_it() -> None:
    made = tiny_image()

    async def old(request: web.Request) -> web.StreamResponse:
        if request.method == "HEAD":
            return web.Response(status=405)
        return web.Response(body=made.manifest, content_type=made.media_type)

    async with serving(old) as host, Registry(host) as client:
        assert (await client.resolve("a/b", "1")).digest == digest_of(made.manifest)


async def test_links_are_followed_by_their_cursor() -> None:
    async def pages(request: web.Request) -> web.StreamResponse:
        if request.query.get("last") == "b+c":
            return web.json_response({"tags": ["d"]})
        link = '</v2/a/b/tags/list?last=b%2Bc&n=2>; rel="next"'
        return web.json_response({"tags": ["a", "b+c"]}, headers={"Link": link})

    async with serving(pages) as host, Registry(host) as client:
        first = await client.tags("a/b", n=2)
        assert first.last == "b+c"
        assert (await client.tags("a/b", last=first.last, n=2)).names == ("d",)


async def test_a_read_is_tried_again_when_the_registry_stumbles() -> None:
    asked = 0

    async def stumbling(request: web.Request) -> web.StreamResponse:
        nonlocal asked
        asked += 1
        if asked == 1:
            assert request.transport is not None
            request.transport.close()
        return web.Response(status=503 if asked == 2 else 200)

    async with serving(stumbling) as host, Registry(host) as client:
        await client.ping()
    assert asked >= 3


@pytest.mark.parametrize("status", [429, 500, 503])
async def test_a_read_is_not_tried_for_ever(status: int) -> None:
    failing = Recorder(status)
    async with serving(failing) as host, Registry(host) as client:
        with pytest.raises(RegistryUnreachable, match=host):
            await client.ping()
    assert len(failing.asked) == 3


async def test_a_write_is_not_repeated() -> None:
    failing = Recorder(503)
    async with serving(failing) as host, Registry(host) as client:
        with pytest.raises(RegistryUnreachable, match="status 503"):
            await client.put_manifest("a/b", "1", MediaType.OCI_MANIFEST, b"{}")
    assert len(failing.asked) == 1


async def test_a_registry_that_asks_to_wait_is_given_the_time() -> None:
    times: list[float] = []

    async def busy(_: web.Request) -> web.StreamResponse:
        times.append(time.monotonic())
        return web.Response(status=429 if len(times) == 1 else 200, headers={"Retry-After": "1"})

    async with serving(busy) as host, Registry(host) as client:
        await client.ping()
    assert times[1] - times[0] >= 1


@pytest.mark.parametrize("wait", ["3600", "a date"])
async def test_a_long_wait_is_left_to_the_caller(wait: str) -> None:
    header = wait if wait.isdigit() else formatdate(time.time() + 3600, usegmt=True)
    busy = Recorder(429, Retry_After=header)
    async with serving(busy) as host, Registry(host) as client:
        with pytest.raises(RegistryUnreachable, match="asks to wait") as refused:
            await client.resolve("a/b", "1")
    assert len(busy.asked) == 1
    assert refused.value.retry_after == pytest.approx(3600, abs=5)


@pytest.mark.parametrize(
    "location", ["", "http://[", "file:///etc/passwd"], ids=["none", "broken", "file"]
)
async def test_an_upload_needs_a_place_to_go_on(location: str) -> None:
    async with serving(Recorder(202, Location=location)) as host, Registry(host) as client:
        with pytest.raises(RegistryProtocolError, match="names no address to go on"):
            await client.can_push("a/b")


async def test_a_cancelled_upload_is_taken_back() -> None:
    arrived = asyncio.Event()
    deleted = asyncio.Event()

    async def registry(request: web.Request) -> web.StreamResponse:
        match request.method:
            case "POST":
                return web.Response(status=202, headers={"Location": "/upload"})
            case "PUT":
                await request.content.readany()
                arrived.set()
                await request.read()
            case "DELETE":
                deleted.set()
        return web.Response(status=204)

    async def endless() -> AsyncIterator[bytes]:
        yield b"first"
        await asyncio.Event().wait()

    async with serving(registry) as host, Registry(host) as client:
        upload = asyncio.create_task(client.upload_blob("a/b", digest_of(b"x"), endless(), 100))
        async with asyncio.timeout(5):
            await arrived.wait()
            upload.cancel()
            with pytest.raises(asyncio.CancelledError):
                await upload
        assert deleted.is_set()


async def test_the_registrys_own_reason_is_passed_on() -> None:
    words = "adding 50 MiB would exceed the quota of 1 GiB"
    body = b'{"errors":[{"code":"DENIED","message":"%s"}]}' % words.encode()
    async with (
        serving(Recorder(403, body=body)) as host,
        Registry(host, Credentials("robot", "s3cret-Passw0rd")) as client,
    ):
        with pytest.raises(RegistryDenied, match=f"DENIED: {words}"):
            await client.put_manifest("a/b", "1", MediaType.OCI_MANIFEST, b"{}")
    async with serving(Recorder(404, body=b"<html>")) as host, Registry(host) as client:
        with pytest.raises(RegistryNotFound, match=r"has no a/b:1\.$"):
            await client.image("a/b", "1")
