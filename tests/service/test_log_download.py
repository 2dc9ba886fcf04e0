"""Downloading a log, as RFC 9110 has it."""

import asyncio
import contextlib
from collections.abc import Mapping

from tests.fixtures.service import Client
from tests.service.logs import (
    built,
    followed,
    run,
    started,
)


async def status_of(
    client: Client, url: str, **headers: str
) -> tuple[int, Mapping[str, str], bytes]:
    async with client.session.get(url, headers=headers) as answer:
        return answer.status, answer.headers, await answer.read()


async def test_a_download_takes_ranges(client: Client, base: str) -> None:
    build = await built(client, f"FROM {base}\n{run('seq 30000; echo grüße')}")
    url = build["logUrl"]
    status, headers, whole = await status_of(client, url)
    size, etag = len(whole), headers["ETag"]
    assert status == 200
    assert headers["Accept-Ranges"] == "bytes"
    assert headers["Content-Length"] == str(size)
    assert headers["X-Content-Type-Options"] == "nosniff"

    parts = {
        "bytes=0-0": (0, 1),
        "bytes=0-99": (0, 100),
        "bytes=70000-90000": (70_000, 90_001),
        f"bytes={size - 3}-": (size - 3, size),
        "bytes=-7": (size - 7, size),
        f"bytes=-{size * 2}": (0, size),
        f"bytes=5-{size * 2}": (5, size),
        "bytes=0-": (0, size),
    }
    for asked, (start, end) in parts.items():
        status, headers, body = await status_of(client, url, Range=asked)
        assert (status, body) == (206, whole[start:end]), asked
        assert headers["Content-Range"] == f"bytes {start}-{end - 1}/{size}"
        assert headers["Content-Length"] == str(end - start)
        assert headers["ETag"] == etag
    for asked in (f"bytes={size}-", f"bytes={size + 5}-{size + 9}", "bytes=-0"):
        status, headers, _ = await status_of(client, url, Range=asked)
        assert (status, headers["Content-Range"]) == (416, f"bytes */{size}"), asked
    for asked in ("bytes=0-1,5-6", "lines=1-2", "bytes=", "bytes=a-b", f"bytes={'9' * 5000}-"):
        assert (await status_of(client, url, Range=asked))[::2] == (200, whole), asked

    same = {"Range": "bytes=0-9", "If-Range": etag}
    other = {"Range": "bytes=0-9", "If-Range": '"another"'}
    assert (await status_of(client, url, **same))[::2] == (206, whole[:10])
    assert (await status_of(client, url, **other))[::2] == (200, whole)
    for tags in (etag, f'"another", W/{etag}', "*"):
        status, headers, body = await status_of(client, url, **{"If-None-Match": tags})
        assert (status, headers["ETag"], body) == (304, etag, b"")
    assert (await status_of(client, url, **{"If-None-Match": '"another"'}))[0] == 200


async def test_head_tells_of_the_log_without_sending_it(client: Client, base: str) -> None:
    build = await started(client, f"FROM {base}\n{run('echo begun; sleep 1000')}")
    url = (await client.build(build))["logUrl"]
    async with asyncio.timeout(10):
        for address in (url, f"{url}?follow=1"):
            async with client.session.head(address) as answer:
                assert answer.status == 200
                assert answer.content_type == "text/plain"
                assert await answer.read() == b""
    await client.ask("mutation($id: ID!) { cancelBuild(id: $id) { __typename } }", id=build)


async def test_a_log_that_grows_has_another_tag(client: Client, base: str) -> None:
    build = await started(client, f"FROM {base}\n{run('echo begun; sleep 1000')}")
    async with contextlib.aclosing(client.follow(build)) as events:
        async for event in events:
            if "begun" in event["text"].split("\n"):
                break
    url = (await client.build(build))["logUrl"]
    _, before, part = await status_of(client, url)
    assert part.endswith(b"begun\n")
    assert (await status_of(client, url, Range="bytes=-6"))[2] == b"begun\n"
    await client.ask("mutation($id: ID!) { cancelBuild(id: $id) { __typename } }", id=build)
    await followed(client, build)
    status, after, whole = await status_of(client, url, **{"If-None-Match": before["ETag"]})
    assert status == 200
    assert after["ETag"] != before["ETag"]
    assert whole.startswith(part)


async def test_there_is_no_log_of_a_build_that_is_not_there(client: Client) -> None:
    for number in ("999999", "0", "9" * 30, "x", "-1"):
        status, _, body = await status_of(client, f"{client.url}/builds/{number}/log")
        assert status == 404
        assert b"Traceback" not in body
    answer = await client.execute('query { build(id: "QnVpbGQ6OTk5OTk5") { log { complete } } }')
    assert answer == {"data": {"build": None}}
