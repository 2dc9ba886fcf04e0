"""The log: every line, numbered, by every way of reading the same."""

import asyncio
import contextlib
import itertools
import json
import sqlite3
from collections import Counter
from collections.abc import AsyncIterator, Callable, Iterator, Mapping
from pathlib import Path
from uuid import uuid4

import aiohttp
import pytest
import zstandard

from server.local.process import free_port
from tests.engine.building import until
from tests.fixtures.docker import PushBusybox
from tests.fixtures.registry import OWNER, RegistryServer
from tests.fixtures.service import JSON, Client, Server, client_of, serving
from tests.service.logs import FOLLOW, Line, by_sse, download, followed, lines_of, page, text_of
from tests.service.test_dockerfile import new_name


async def built(client: Client, dockerfile: str) -> JSON:
    """A build that is over, of a Dockerfile whose steps no build before has run."""
    created = await client.create(
        "Dockerfile", name=new_name(), dockerfile=f"{dockerfile}\nLABEL once={uuid4().hex}\n"
    )
    return await client.finished(created)


async def started(client: Client, dockerfile: str) -> str:
    """The id of a build that was just asked for."""
    created = await client.create("Dockerfile", name=new_name(), dockerfile=dockerfile)
    assert created["__typename"] == "CreateImagePayload", created
    return str(created["build"]["id"])


def run(script: str) -> str:
    """A RUN that no build before has had, so that it runs."""
    return f"RUN : {uuid4().hex}; {script}"


def step_of(build: JSON, part: str) -> JSON:
    (step,) = [step for step in build["steps"] if part in step["name"]]
    found: JSON = step
    return found


def printed(lines: list[Line], step: JSON) -> list[str]:
    """What a step printed: its lines after the first, which names it."""
    own = [line.text for line in lines if line.step == step["index"]]
    assert own[0] == step["name"]
    return own[1:]


def archived(server: Server, build: JSON) -> Path:
    """Where the log is kept once the build is over."""
    number = build["logUrl"].split("/")[-2]
    return server.data / "blobs" / "logs" / f"{number}.log.zst"


async def test_output_of_every_kind_does_no_harm(client: Client, base: str) -> None:
    script = (
        r"printf 'loading 10%%\rloading 50%%\rloading 100%%\n';"
        r"printf '\033[1;31mred\033[0m\n';"
        r"printf 'broken \377\376 bytes\n'; printf 'nul \000 byte\n';"
        r"printf 'windows\r\n'; printf '\n'; printf 'grüße 你好\n' >&2;"
        r"head -c 1000000 /dev/zero | tr '\000' x; echo;"
        r"printf 'no newline at the end'"
    )
    build = await built(client, f"FROM {base}\n{run(script)}")
    assert build["status"] == "SUCCEEDED", await client.log(build["id"])

    chunks, end = await followed(client, build["id"])
    lines = lines_of(chunks)
    assert sorted(printed(lines, step_of(build, "RUN"))) == sorted(
        [
            "loading 100%",
            "\x1b[1;31mred\x1b[0m",
            "broken \ufffd\ufffd bytes",
            "nul \ufffd byte",
            "windows",
            "",
            "grüße 你好",
            "x" * 1_000_000,
            "no newline at the end",
        ]
    )
    assert end["cursor"] == build["lineCount"] == len(lines)
    assert await download(client, build["logUrl"]) == text_of(lines)


async def test_stages_that_run_side_by_side_keep_their_lines_apart(
    client: Client, base: str
) -> None:
    say = "for n in $(seq 150); do echo {0} $n; sleep 0.004; done; touch /{0}"
    build = await built(
        client,
        f"FROM {base} AS one\n{run(say.format('left'))}\n"
        f"FROM {base} AS two\n{run(say.format('right'))}\n"
        f"FROM {base}\nCOPY --from=one /left /\nCOPY --from=two /right /",
    )
    assert build["status"] == "SUCCEEDED", await client.log(build["id"])

    lines = lines_of((await followed(client, build["id"]))[0])
    for side in ("left", "right"):
        step = step_of(build, f"echo {side}")
        assert printed(lines, step) == [f"{side} {n}" for n in range(1, 151)]
    sides = [line.step for line in lines if line.text.startswith(("left ", "right "))]
    turns = sum(a != b for a, b in itertools.pairwise(sides))
    assert turns > 4, "the stages did not run side by side, so this proves nothing"


async def test_four_hundred_thousand_lines_are_all_kept(
    client: Client, server: Server, base: str
) -> None:
    build = await built(client, f"FROM {base}\n{run('seq 400000')}")
    assert build["status"] == "SUCCEEDED", build["failure"]

    lines = lines_of((await followed(client, build["id"]))[0])
    assert printed(lines, step_of(build, "seq")) == [str(n) for n in range(1, 400_001)]
    text = text_of(lines)
    assert await download(client, build["logUrl"]) == text

    # From within a chunk on, by subscription and by page.
    for after in (1, 123_457, len(lines) - 1, len(lines)):
        rest, end = await followed(client, build["id"], after)
        assert lines_of(rest, after) == lines[after:]
        assert end == {"__typename": "BuildLogEnd", "cursor": len(lines), "status": "SUCCEEDED"}
    found = await page(client, build["id"], 399_000, 10_000)
    assert lines_of(found["chunks"], 399_000) == lines[399_000:]
    assert found["complete"]

    # The rows are gone, and what is left is a zstd file.
    number = int(build["logUrl"].split("/")[-2])
    with contextlib.closing(sqlite3.connect(server.data / "darkroom.sqlite3")) as database:
        rows = "SELECT count(*) FROM log_chunk WHERE build_id = ?"
        await until(lambda: database.execute(rows, (number,)).fetchone() == (0,), 30)
    blob = archived(server, build).read_bytes()
    reader = zstandard.ZstdDecompressor().stream_reader(blob, read_across_frames=True)
    assert reader.read().decode() == text


async def test_pages_go_through_the_whole_log(client: Client, base: str) -> None:
    build = await built(client, f"FROM {base}\n{run('seq 300')}")
    lines = lines_of((await followed(client, build["id"]))[0])

    pages = [await page(client, build["id"], 0, 77)]
    while not pages[-1]["complete"]:
        pages.append(await page(client, build["id"], pages[-1]["endCursor"], 77))

    assert lines_of([chunk for each in pages for chunk in each["chunks"]]) == lines
    assert len(pages) == -(-len(lines) // 77)
    for number, each in enumerate(pages[:-1], 1):
        assert each["endCursor"] == 77 * number
    beyond = await page(client, build["id"], len(lines) + 5, 10)
    assert beyond["chunks"] == []
    assert beyond["complete"]
    assert lines_of((await page(client, build["id"], -3, 0))["chunks"]) == lines[:1]
    assert len(lines_of((await page(client, build["id"], 0, 10**6))["chunks"])) == len(lines)


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


# Limits and secrets


@pytest.fixture(scope="module")
def small_logs(
    docker_engine: str, registry: RegistryServer, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[Server]:
    settings = {"ENGINE_URL": docker_engine, "REGISTRY": registry.host, "LOG_BYTES": "20000"}
    with serving(tmp_path_factory.mktemp("small-logs"), settings) as server:
        yield server


async def test_a_log_beyond_the_limit_fails_the_build_and_is_kept(
    small_logs: Server, base: str
) -> None:
    async with client_of(small_logs.url) as client:
        build = await built(client, f"FROM {base}\n{run('seq 100000; sleep 1000')}")
        failure = build["failure"]
        assert (failure["code"], failure["blame"]) == ("LOG_TOO_LARGE", "USER")
        assert "20000 bytes" in failure["message"]
        assert failure["step"] == step_of(build, "seq")["index"]
        assert {step["status"] for step in build["steps"]} <= {"DONE", "CACHED", "CANCELED"}
        lines = lines_of((await followed(client, build["id"]))[0])
        kept = printed(lines, step_of(build, "seq"))
        assert kept.pop() == f"LOG_TOO_LARGE: {failure['message']}"
        assert kept == [str(n) for n in range(1, len(kept) + 1)]
        assert 0 < len(text_of(lines)) < 21_000
        assert await download(client, build["logUrl"]) == text_of(lines)


def searched(folder: Path) -> dict[str, bytes]:
    """Everything that is kept, as it reads once it is decompressed."""
    found = {}
    for path in folder.rglob("*"):
        if not path.is_file():
            continue
        data = path.read_bytes()
        if path.suffix == ".zst":
            reader = zstandard.ZstdDecompressor().stream_reader(data, read_across_frames=True)
            data = reader.read()
        found[str(path.relative_to(folder))] = data
    return found


async def test_secrets_are_masked_wherever_they_turn_up(
    docker_engine: str,
    basic_registry: RegistryServer,
    busybox: PushBusybox,
    tmp_path: Path,
) -> None:
    pushed = await busybox(basic_registry.host, OWNER)
    settings = {
        "ENGINE_URL": docker_engine,
        "REGISTRY": basic_registry.host,
        "REGISTRY_USERNAME": OWNER.username,
        "REGISTRY_PASSWORD": OWNER.password,
    }
    # Never whole in the Dockerfile: printed in pieces, at once and with pauses.
    half, rest = OWNER.password[:7], OWNER.password[7:]
    script = (
        f"printf 'a %s' {half}; sleep 0.2; printf {rest[:2]}; sleep 0.2; echo '{rest[2:]} z';"
        f"echo {half}''{rest}; printf 'tail {half}%s' '{rest}'"
    )
    login = "https://ada:hunter22@git.example.com/a.git"
    url = (
        f"printf 'clone https://ada:hun'; sleep 0.2; echo 'ter22@git.example.com/a.git'; : {login}"
    )
    with serving(tmp_path / "data", settings) as server:
        async with client_of(server.url) as client:
            build = await built(
                client, f"FROM {pushed.reference}\n{run(script)}\n{run(url)}\n{run('false')}"
            )
            assert build["failure"]["code"] == "STEP_FAILED"
            chunks, _ = await followed(client, build["id"])
            lines = lines_of(chunks)
            answers = json.dumps(
                [
                    build["steps"],
                    build["failure"],
                    chunks,
                    await page(client, build["id"], 0, 1000),
                    await download(client, build["logUrl"]),
                ]
            )
        assert printed(lines, step_of(build, "sleep 0.2; printf")) == [
            "a [secret] z",
            "[secret]",
            "tail [secret]",
        ]
        clone = "clone https://[secret]@git.example.com/a.git"
        assert printed(lines, step_of(build, "git.example.com")) == [clone]
        await until(archived(server, build).exists, 10)
        kept = searched(server.data)
        for where, data in {
            **kept,
            "server's log": server.log.read_bytes(),
            "answers": answers.encode(),
        }.items():
            assert OWNER.password.encode() not in data, where
        assert "hunter22" not in answers
