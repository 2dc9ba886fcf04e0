"""Following a log that grows: live, by every transport, and through breaks."""

import asyncio
import contextlib
from collections import Counter
from collections.abc import AsyncIterator, Callable
from pathlib import Path

import aiohttp
import pytest

from server.local.process import free_port
from tests.fixtures.registry import RegistryServer
from tests.fixtures.service import FOLLOW, JSON, Client, Server, client_of, serving
from tests.service.logs import (
    by_sse,
    download,
    followed,
    lines_of,
    page,
    run,
    started,
    step_of,
    text_of,
)

SLOWLY = "echo begun; for n in $(seq 60); do echo line $n; sleep 0.02; done"


async def test_lines_arrive_while_their_step_runs(client: Client, base: str) -> None:
    build = await started(client, f"FROM {base}\n{run('echo begun; sleep 1000')}")

    async with contextlib.aclosing(client.follow(build)) as events:
        async for event in events:
            if "begun" in event["text"].split("\n"):
                break
    running = await client.reached(build, "BUILDING")
    assert step_of(running, "sleep 1000")["status"] == "RUNNING"
    assert running["lineCount"] == event["cursor"]
    found = await page(client, build, 0, 1000)
    assert not found["complete"]
    assert found["endCursor"] == event["cursor"]

    await client.ask("mutation($id: ID!) { cancelBuild(id: $id) { __typename } }", id=build)
    chunks, end = await followed(client, build, found["endCursor"])
    assert end["status"] == "CANCELED"
    assert lines_of(chunks, found["endCursor"])[-1].text == "Canceled."


async def test_followers_of_one_build_are_told_what_each_asks_for(
    client: Client, base: str
) -> None:
    build = await started(client, f"FROM {base}\n{run(SLOWLY)}")
    some = """subscription($id: ID!, $timed: Boolean!) { buildLog(buildId: $id) {
        ... on BuildLogChunk { text time @include(if: $timed) } } }"""
    other = (
        "subscription($id: ID!) { buildLog(buildId: $id) { ... on BuildLogChunk { said: text } } }"
    )

    async def told(query: str, **variables: object) -> list[JSON]:
        return [event async for event in client.subscribe(query, id=build, **variables) if event]

    timed, same, untimed, renamed = await asyncio.gather(
        told(some, timed=True), told(some, timed=True), told(some, timed=False), told(other)
    )
    assert len(timed) > 3
    for events, keys in ((timed, "text time"), (untimed, "text"), (renamed, "said")):
        assert {" ".join(event) for event in events} == {keys}
    texts = ["\n".join(event["text"] for event in events) for events in (timed, same, untimed)]
    assert texts == ["\n".join(event["said"] for event in renamed)] * 3


async def test_every_way_of_following_tells_the_same(client: Client, base: str) -> None:
    build = await started(client, f"FROM {base}\n{run(SLOWLY)}")
    url = (await client.build(build))["logUrl"]

    async def reconnecting() -> list[JSON]:
        """A reader whose connection breaks after every third event."""
        chunks: list[JSON] = []
        while True:
            after = chunks[-1]["cursor"] if chunks else 0
            async with contextlib.aclosing(client.follow(build, after)) as events:
                seen = 0
                async for event in events:
                    if event["__typename"] == "BuildLogEnd":
                        return chunks
                    chunks.append(event)
                    if (seen := seen + 1) == 3:
                        break

    async def sse(method: str) -> list[JSON]:
        return [event async for event in by_sse(client, FOLLOW, method, id=build, after=0)]

    (chunks, end), again, posted, got, streamed = await asyncio.gather(
        followed(client, build),
        reconnecting(),
        sse("POST"),
        sse("GET"),
        download(client, f"{url}?follow=1"),
    )
    lines = lines_of(chunks)
    assert end["status"] == "SUCCEEDED"
    assert [line.text for line in lines if line.text.startswith("line ")] == [
        f"line {n}" for n in range(1, 61)
    ]
    assert lines_of(again) == lines
    for events in (posted, got):
        assert lines_of(events[:-1]) == lines
        assert events[-1] == end
    assert streamed == text_of(lines) == await download(client, url)
    # Afterwards it is the same, at once.
    assert await download(client, f"{url}?follow=1") == streamed


Ending = Callable[[Server], object]


def stopped(server: Server) -> None:
    assert server.stop() == 0


async def interrupted(events: AsyncIterator[JSON]) -> AsyncIterator[JSON]:
    """The events until the connection ends, which no `complete` announces."""
    with contextlib.suppress(aiohttp.ClientError):
        async for event in events:
            yield event
    assert event["__typename"] != "BuildLogEnd"


@pytest.mark.parametrize("end_it", [stopped, Server.kill], ids=["stop", "crash"])
async def test_a_reader_goes_on_after_the_server_began_again(
    docker_engine: str, registry: RegistryServer, base: str, tmp_path: Path, end_it: Ending
) -> None:
    settings = {"ENGINE_URL": docker_engine, "REGISTRY": registry.host, "LEASE_SECONDS": "1"}
    settings["GRACE_SECONDS"] = "0.1"  # which the step outlives
    data, port = tmp_path / "data", free_port()
    chunks: list[JSON] = []
    with serving(data, settings, port) as first:
        async with client_of(first.url) as client:
            build = await started(client, f"FROM {base}\n{run(SLOWLY)}")
            async for event in interrupted(client.follow(build)):
                assert event["__typename"] == "BuildLogChunk"
                chunks.append(event)
                if "line 9" in event["text"]:
                    await asyncio.to_thread(end_it, first)
    with serving(data, settings, port) as second:
        async with client_of(second.url) as client:
            after = chunks[-1]["cursor"]
            rest, end = await followed(client, build, after)
            whole = await download(client, (await client.build(build))["logUrl"])
    lines = lines_of([*chunks, *rest])
    assert end["status"] == "SUCCEEDED"
    assert text_of(lines) == whole
    told = "This worker stops" if end_it is stopped else "WORKER_LOST: The worker "
    assert told in whole
    times = Counter(line.text for line in lines)
    assert times["line 60"] == 1, "the step ran to its end once"
    assert times["line 3"] == 2, "and began twice"
