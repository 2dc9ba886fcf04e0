"""The log: every line, numbered, and kept."""

import contextlib
import itertools
import sqlite3
from collections.abc import Iterator

import pytest
import zstandard

from tests.engine.building import until
from tests.fixtures.registry import RegistryServer
from tests.fixtures.service import Client, Server, client_of, serving
from tests.service.logs import (
    archived,
    built,
    download,
    followed,
    lines_of,
    page,
    printed,
    run,
    step_of,
    text_of,
)


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
