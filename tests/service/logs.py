"""Builds for their logs, and reading those in each of the ways that there are."""

import json
from collections.abc import AsyncGenerator, AsyncIterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from uuid import uuid4

import aiohttp

from tests.fixtures.service import JSON, Client, Server
from tests.service.test_dockerfile import new_name

PAGE = """query($id: ID!, $after: Int!, $most: Int!) { build(id: $id) {
  log(after: $after, maxLines: $most) {
    endCursor complete chunks { firstLine cursor step time text } } } }"""


@dataclass(frozen=True, slots=True)
class Line:
    """A line with its number in the whole log, and the step that wrote it."""

    number: int
    step: int | None
    text: str


def lines_of(chunks: list[JSON], after: int = 0) -> list[Line]:
    """The lines of consecutive chunks, which must be numbered without a gap or a repeat."""
    found = []
    for chunk in chunks:
        texts = chunk["text"].split("\n")
        assert chunk["firstLine"] == after + 1, "a gap or a repeat"
        assert chunk["cursor"] == after + len(texts)
        found += [Line(after + n, chunk["step"], text) for n, text in enumerate(texts, 1)]
        after = chunk["cursor"]
    return found


def text_of(lines: list[Line]) -> str:
    """As a download holds it."""
    return "".join(f"{line.text}\n" for line in lines)


async def followed(client: Client, id_: str, after: int = 0) -> tuple[list[JSON], JSON]:
    """The chunks after a line, and the end, which must be the last event and the only one."""
    events = [event async for event in client.follow(id_, after)]
    *chunks, end = events
    assert end["__typename"] == "BuildLogEnd"
    assert {chunk["__typename"] for chunk in chunks} <= {"BuildLogChunk"}
    return chunks, end


async def page(client: Client, id_: str, after: int, most: int) -> JSON:
    """One page of `Build.log`."""
    build = await client.ask(PAGE, id=id_, after=after, most=most)
    found: JSON = build["log"]
    return found


async def by_sse(
    client: Client, query: str, method: str = "POST", /, **variables: Any
) -> AsyncGenerator[JSON, None]:
    """A subscription's events by server-sent events, distinct connections mode."""
    body = {"query": query, "variables": variables}
    given: dict[str, Any] = (
        {"json": body}
        if method == "POST"
        else {"params": {"query": query, "variables": json.dumps(variables)}}
    )
    async with client.session.request(
        method, f"{client.url}/graphql", headers={"Accept": "text/event-stream"}, **given
    ) as answer:
        assert answer.status == 200, await answer.text()
        assert answer.content_type == "text/event-stream"
        async for event, data in _events(answer.content):
            if event == "complete":
                return
            assert event == "next"
            message = json.loads(data)
            assert not message.get("errors"), message
            yield next(iter(message["data"].values()))
    raise AssertionError("The stream ended without `complete`.")


async def _events(content: aiohttp.StreamReader) -> AsyncIterator[tuple[str, str]]:
    """Events as the HTML standard's section on server-sent events frames them."""
    fields: dict[str, str] = {}
    rest = b""
    async for raw in content.iter_any():
        *lines, rest = (rest + raw).split(b"\r\n")
        for line in lines:
            name, _, value = line.decode().partition(":")
            if name:
                fields[name] = value.removeprefix(" ")
            elif not line and "event" in fields:
                yield fields["event"], fields.get("data", "")
                fields = {}


async def download(client: Client, url: str, **headers: str) -> str:
    """The whole of a log by its address."""
    async with client.session.get(url, headers=headers) as answer:
        assert answer.status == 200
        assert answer.headers["Content-Type"] == "text/plain; charset=utf-8"
        return (await answer.read()).decode()


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
