"""Operations that are small to send and would be large to answer."""

import io
import json
import time
from typing import Any

import pytest

from tests.fixtures.service import Client

SECONDS = 1.5  # in which any bomb must be defused, on a busy machine
FRAGMENTS = " ".join(
    f"fragment f{number} on Image {{ ...f{number + 1} ...f{number + 1} }}" for number in range(40)
)

BOMBS = {
    "depth": (
        "{ images { nodes " + "{ latestBuild { image " * 20 + "{ id }" + " } }" * 20 + " } }",
        "levels of fields; at most 15",
    ),
    "aliases": (
        "{ " + " ".join(f"a{number}: viewer {{ name }}" for number in range(500)) + " }",
        "aliases; at most 50",
    ),
    "aliases within": (
        "{ images(first: 1) { nodes { " + " ".join(f"a{n}: name" for n in range(60)) + " } } }",
        "aliases; at most 50",
    ),
    "huge lists within huge lists": (
        "{ images(first: 100) { nodes { builds(first: 100) { nodes { image { builds(first: 100) "
        "{ nodes { id steps { name } } } } } } } } }",
        "fields, were every page full",
    ),
    "the same by a variable": (
        "query($n: Int! = 100) { images(first: $n) { nodes { builds(first: $n) { nodes { image { "
        "builds(first: $n) { nodes { id } } } } } } } }",
        "fields, were every page full",
    ),
    "a page too large": ("{ images(first: 101) { nodes { id } } }", "must be between 0 and 100"),
    "a fragment circle": (
        "{ images { nodes { ...a } } } fragment a on Image { ...b } fragment b on Image { ...a }",
        "Cannot spread fragment",
    ),
    "a fragment of itself": (
        "{ images { nodes { ...a } } } fragment a on Image { latestBuild { image { ...a } } }",
        "Cannot spread fragment",
    ),
    "fragments that double": (
        f"{{ images {{ nodes {{ ...f0 }} }} }} {FRAGMENTS} fragment f40 on Image {{ id a: name }}",
        "aliases; at most 50",
    ),
    "fragments that double the fields": (
        f"{{ images {{ nodes {{ ...f0 }} }} }} {FRAGMENTS} fragment f40 on Image {{ id }}",
        "fields, were every page full",
    ),
    "the same field again and again": ("{ " + "viewer { name } " * 1600 + "}", "Document contains"),
    "tokens": ("{ " + "__typename " * 6000 + "}", "contains more than 5000 tokens"),
    "megabytes of tokens": ("{ " + "a " * 450_000 + "}", "contains more than 5000 tokens"),
    "brackets": ("{ a " * 2000 + "}" * 2000, "brackets within each other"),
    "brackets that never close": ("{" * 4000, "brackets within each other"),
    "lists as a value": (
        "{ images(filter: { tags: " + "[" * 2000 + "]" * 2000 + " }) { totalCount } }",
        "brackets within each other",
    ),
    "lists as a type": (
        "query($a: " + "[" * 2000 + "Int" + "]" * 2000 + ") { viewer { name } }",
        "brackets within each other",
    ),
    "a long number": ("{ images(first: " + "9" * 5000 + ") { totalCount } }", "Exceeds the limit"),
    "directives": ("{ viewer " + "@skip(if: false) " * 600 + "{ name } }", "can only be used once"),
    "operations": ("query a { __typename } " * 1000, "only one operation named"),
}


async def is_alive(client: Client) -> bool:
    return bool((await client.ask("{ viewer { name } }"))["name"] == "mina")


@pytest.mark.parametrize("bomb", BOMBS)
async def test_a_bomb_is_defused(user: Client, bomb: str) -> None:
    query, expected = BOMBS[bomb]
    started = time.monotonic()
    answer = await user.execute(query)
    assert time.monotonic() - started < SECONDS
    assert expected in answer["errors"][0]["message"], str(answer)[:500]
    assert len(json.dumps(answer)) < 100_000
    assert await is_alive(user)


@pytest.mark.parametrize("bomb", ["depth", "brackets", "tokens", "fragments that double"])
async def test_a_bomb_over_websocket_is_defused(user: Client, bomb: str) -> None:
    query, expected = BOMBS[bomb]
    async with user.session.ws_connect(
        f"{user.url}/graphql", protocols=["graphql-transport-ws"]
    ) as socket:
        await socket.send_json({"type": "connection_init", "payload": user.headers})
        assert (await socket.receive_json())["type"] == "connection_ack"
        await socket.send_json({"id": "1", "type": "subscribe", "payload": {"query": query}})
        said = await socket.receive(timeout=5)
        assert expected in f"{said.data} {said.extra}"
    assert await is_alive(user)


GIVEN = b'{"query": "{ __typename }", "variables": {"a": '
BODIES: dict[str, tuple[bytes, int]] = {
    "ten megabytes of tokens": (b'{"query": "{ ' + b"a " * 5_000_000 + b'}"}', 413),
    "nested variables": (GIVEN + b"[" * 500_000 + b"]" * 500_000 + b"}}", 400),
    "a batch": (json.dumps([{"query": "{ __typename }"}] * 1000).encode(), 400),
    "a batch in a batch": (b'[[{"query": "{ __typename }"}]]', 400),
    "a long number": (GIVEN + b"9" * 6000 + b"}}", 400),
    "not a number": (GIVEN + b"NaN}}", 400),
    "a text": (b'"{ __typename }"', 400),
    "nothing": (b"", 400),
    "null": (b"null", 400),
    "bytes that are no text": (b'{"query": "\xff\xfe"}', 400),
    "a query that is a list": (b'{"query": ["{ __typename }"]}', 400),
    "variables that are a list": (b'{"query": "{ __typename }", "variables": []}', 400),
    "a name that is a number": (b'{"query": "{ __typename }", "operationName": 5}', 400),
    "a name of no operation": (b'{"query": "{ __typename }", "operationName": "x"}', 400),
    "half a character in a query": (b'{"query": "{ a(b: \\"\\ud800\\") }"}', 200),
    "half a character in a variable": (
        b'{"query": "query($id: ID!) { node(id: $id) { id } }", "variables": {"id": "\\ud800"}}',
        200,
    ),
    "NUL in a variable": (
        b'{"query": "query($s: String) { images(filter: {search: $s}) { totalCount } }",'
        b' "variables": {"s": "\\u0000"}}',
        200,
    ),
    "NUL in a query": (
        b'{"query": "{ images(filter: {search: \\"\\\\u0000\\"}) { totalCount } }"}',
        200,
    ),
}  # fmt: skip


@pytest.mark.parametrize("body", BODIES)
async def test_a_malformed_request_is_told_so(user: Client, body: str) -> None:
    data, status = BODIES[body]
    headers = {"Content-Type": "application/json", **user.headers}
    started = time.monotonic()
    async with user.session.post(
        f"{user.url}/graphql", data=io.BytesIO(data), headers=headers
    ) as answer:
        assert answer.status == status
        told: Any = await answer.json()
    assert time.monotonic() - started < SECONDS
    assert told["errors"][0]["message"]
    assert "Darkroom itself failed" not in str(told)
    assert await is_alive(user)


async def test_introspection_is_within_the_limits(user: Client) -> None:
    from graphql import get_introspection_query

    answer = await user.ask(get_introspection_query(input_value_deprecation=True))
    assert answer["queryType"]["name"] == "Query"
