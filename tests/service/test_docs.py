"""The examples of docs/api.md do what they say."""

import contextlib
import json
import re
from typing import Any

from graphql import FieldNode, OperationDefinitionNode, build_schema, parse

from tests.fixtures.git import BareRepository, GitServer
from tests.fixtures.service import ROOT, Client

# Examples in another language, or that need a cluster.
IN_WORDS = {
    "createImageFromUpload",
    "createImageFromTrainingTask",
    "createImageFromContainer",
    "node",
}

_BLOCK = re.compile(r"```(graphql|json)\n(.*?)```", re.DOTALL)


def examples() -> list[tuple[str, str]]:
    """Operations with the variables that follow them, as text."""
    found: list[tuple[str, str]] = []
    for kind, text in _BLOCK.findall((ROOT / "docs" / "api.md").read_text()):
        if kind == "graphql":
            found.append((text, "{}"))
        else:
            found[-1] = (found[-1][0], text)
    return found


def first(value: Any, *path: str) -> Any:
    for key in path:
        value = (value or {}).get(key)
    return value


async def test_every_example_works(
    client: Client, base: str, git_server: GitServer, demo_repository: BareRepository
) -> None:
    known = {"$BASE": base, "$GIT": git_server.url("demo.git"), "$IMAGE": "", "$BUILD": ""}
    done = 0
    for query, variables in examples():
        for word, value in known.items():
            variables = variables.replace(word, value)
        given = json.loads(variables)
        if query.startswith("subscription Changes"):
            await _subscribes(client, query)
        elif query.startswith("subscription"):
            events = [event async for event in client.subscribe(query, **given)]
            assert events, query
        else:
            answer = await client.execute(query, **given)
            if query.startswith("query Tasks"):
                assert "cluster" in answer["errors"][0]["message"]
            else:
                assert not answer.get("errors"), (query, answer)
            created = first(answer["data"], "createImageFromDockerfile")
            if first(created, "image", "id"):
                known["$IMAGE"], known["$BUILD"] = created["image"]["id"], created["build"]["id"]
        done += 1
    assert done > 15


def test_every_operation_has_an_example() -> None:
    schema = build_schema((ROOT / "schema.graphql").read_text())
    used: set[str] = set()
    for query, _ in examples():
        for operation in parse(query).definitions:
            assert isinstance(operation, OperationDefinitionNode)
            used |= {
                field.name.value
                for field in operation.selection_set.selections
                if isinstance(field, FieldNode)
            }
    roots = (schema.query_type, schema.mutation_type, schema.subscription_type)
    missing = {name for root in roots if root for name in root.fields} - used - IN_WORDS
    assert not missing


async def _subscribes(client: Client, query: str) -> None:
    """It is accepted, and stays open until something changes."""
    async with contextlib.aclosing(client.subscribe(query)) as changes:
        created = await client.create(
            "Dockerfile", name="/docs/changes:1", dockerfile="FROM scratch\n"
        )
        # The subscription begins with the first question for an event.
        waiting = anext(changes)
        cancel = "mutation($id: ID!) { deleteImage(id: $id) { __typename } }"
        await client.ask(cancel, id=created["image"]["id"])
        assert await waiting
