"""What is private exists for its owner and administrators alone, by every path."""

import asyncio
import contextlib
import json
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any
from uuid import uuid4

import aiohttp
import pytest

from engine.errors import BuildFailed
from engine.hidden_bases import refuse_hidden
from engine.job import Job
from engine.reference import parse_reference
from models import Build, BuildStep, Image, ImageEdit, ImageTag
from models.enums import BuildStatus, StepStatus, Visibility
from resolvers.schema import schema
from schema import ids
from tests.fixtures.service import Client
from tests.rows import NOON, build_of, image, save
from tests.service.inside import Inside, inside
from tests.service.tokens import ADMIN, bearer
from tests.service.walking import Walk

UNLIMITED = {"query_tokens": 10**6, "query_depth": 50, "query_aliases": 10**6, "query_cost": 10**9}


@pytest.fixture
async def server(tmp_path: Path) -> AsyncIterator[Inside]:
    async with inside(tmp_path / "data", **UNLIMITED) as running:
        yield running


@pytest.fixture
async def session() -> AsyncIterator[aiohttp.ClientSession]:
    async with aiohttp.ClientSession() as found:
        yield found


class Secret:
    """A private image with something in every corner of its record."""

    def __init__(self) -> None:
        self.mark = f"mark{uuid4().hex}"
        self.image: Image
        self.build: Build
        self.rebuild: Build

    async def save(self, server: Inside) -> None:
        mark = self.mark
        self.image = await save(
            image(
                owner="owner",
                visibility=Visibility.PRIVATE,
                description=mark,
                source={"dockerfile": f"FROM scratch\nLABEL a={mark}"},
                digest=f"sha256:{mark}",
                platform=mark,
            ),
            "framework/jax",
            "task/nlp",
        )
        given: dict[str, Any] = {
            "dockerfile": mark,
            "dockerfile_path": mark,
            "context_digest": mark,
            "digest": mark,
            "platform": mark,
            "failure_message": mark,
            "failure_code": "STEP_FAILED",
            "bases": [{"reference": mark, "digest": mark}],
            "environment": {"engine": mark, "builder": mark},
            "commit": {
                "sha": mark, "author": mark, "message": mark, "committed_at": NOON.isoformat(),
            },
        }  # fmt: skip
        self.build = await build_of(self.image, 1, **given)
        self.rebuild = await build_of(self.image, 2, rebuild_of_id=self.build.id, **given)
        await BuildStep.create(
            build_id=self.build.id, index=1, name=mark, status=StepStatus.FAILED, error=mark
        )
        for build in (self.build, self.rebuild):
            await server.log(build, mark)
        changes = [{"field": "description", "before": mark, "after": mark}]
        await ImageEdit.create(
            image_id=self.image.id, edited_by=mark, edited_at=NOON, changes=changes
        )

    @property
    def image_id(self) -> str:
        return ids.encode("Image", self.image.id)

    @property
    def build_id(self) -> str:
        return ids.encode("Build", self.build.id)


@pytest.fixture
async def secret(server: Inside) -> Secret:
    found = Secret()
    await found.save(server)
    await save(image(owner="owner", description="For everybody."), "framework/jax")
    return found


def client(session: aiohttp.ClientSession, server: Inside, name: str, **claims: Any) -> Client:
    return Client(session, server.url, bearer(name, **claims))


def values(secret: Secret, id_: str) -> dict[str, str]:
    """Arguments that name the secret wherever they can."""
    common = f'name: "{secret.image.name}"'
    return {
        "id": f'"{id_}"',
        "buildId": f'"{secret.build_id}"',
        "slug": '"task/new"',
        "to": '"task/other"',
        "name": '"task"',
        "first": "20",
        "repository": f'"{secret.image.repository}"',
        "search": f'"{secret.mark[4:]}"',
        "RebuildImageInput": f'{{ build: "{secret.build_id}" }}',
        "UpdateImageInput": '{ description: "changed", visibility: PUBLIC, tags: [] }',
        "CreateImageFromGitInput": f'{{ {common}, url: "https://127.0.0.1:1/a/b", ref: "main" }}',
        "CreateImageFromDockerfileInput": f'{{ {common}, dockerfile: "FROM scratch" }}',
        "CreateImageFromUploadInput": "$unused",
        "CreateImageFromExistingInput": f"{{ {common} }}",
        "CreateImageFromTrainingTaskInput": f'{{ {common}, task: "x", pod: "x" }}',
        "CreateImageFromContainerInput": (
            f'{{ {common}, namespace: "x", pod: "x", container: "x" }}'
        ),
    }


async def walked(client: Client, secret: Secret, kinds: str = "query mutation") -> str:
    """Everything that the service answers to the walk, as one text."""
    graph = schema._schema
    found = []
    for operation in kinds.split():
        root = {"query": graph.query_type, "mutation": graph.mutation_type}[operation]
        assert root
        for id_ in (secret.image_id, secret.build_id):
            for query in Walk(graph, values(secret, id_)).queries(root, operation):
                is_new = id_ == secret.image_id or id_ in query
                if is_new and "$unused" not in query:
                    answer = await client.execute(query)
                    assert "data" in answer, answer
                    found.append(json.dumps(answer))
    return "\n".join(found)


async def test_a_stranger_walks_the_whole_schema_and_finds_nothing(
    server: Inside, session: aiohttp.ClientSession, secret: Secret
) -> None:
    # What the service itself changes at times, such as when it archives a log, is none of these.
    columns = ("name", "visibility", "description", "owner", "source", "sealed_token", "digest")
    before = await Image.get(id=secret.image.id).values(*columns)
    found = await walked(client(session, server, "stranger"), secret)
    assert "For everybody." in found  # the walk does see what is public
    assert secret.mark not in found
    assert secret.image_id not in found
    assert secret.build_id not in found
    assert await Image.get(id=secret.image.id).values(*columns) == before
    assert await ImageTag.filter(image_id=secret.image.id).count() == 2
    assert await Build.filter(image_id=secret.image.id).count() == 2


@pytest.mark.parametrize("who", ["owner", "admin"])
async def test_the_same_walk_shows_it_to_its_owner_and_to_administrators(
    server: Inside, session: aiohttp.ClientSession, secret: Secret, who: str
) -> None:
    user = client(session, server, who, **(ADMIN if who == "admin" else {}))
    found = await walked(user, secret, "query")
    assert found.count(secret.mark) > 50
    assert secret.image_id in found
    assert secret.build_id in found


async def test_counts_and_facets_tell_nothing_of_it(
    server: Inside, session: aiohttp.ClientSession, secret: Secret
) -> None:
    query = """query($filter: ImageFilter) { images(filter: $filter) { totalCount
      nodes { name } facets { values { count tag { slug } } } } }"""
    for filter_, count in (
        (None, 1),
        ({"tags": ["framework/jax"]}, 1),
        ({"tags": ["task/nlp"]}, 0),
        ({"search": secret.mark}, 0),
        ({"visibility": "PRIVATE"}, 0),
        ({"search": secret.image.name}, 0),
    ):
        found = await client(session, server, "stranger").ask(query, filter=filter_)
        assert found["totalCount"] == len(found["nodes"]) == count, filter_
        counted = {
            value["tag"]["slug"]: value["count"]
            for facet in found["facets"]
            for value in facet["values"]
        }
        assert counted["task/nlp"] == 0
        # Seen as an owner, the same numbers include it.
    found = await client(session, server, "owner").ask(query, filter=None)
    assert found["totalCount"] == 2


async def test_its_name_is_taken_and_nothing_more_is_said(
    server: Inside, session: aiohttp.ClientSession, secret: Secret
) -> None:
    given = {"name": secret.image.name, "dockerfile": "FROM scratch"}
    taken = await client(session, server, "stranger").create("Dockerfile", **given)
    assert taken["__typename"] == "ConflictError"
    assert taken["taken"] is None
    seen = await client(session, server, "owner").create("Dockerfile", **given)
    assert seen["taken"]["name"] == secret.image.name


async def test_its_log_cannot_be_downloaded(
    server: Inside, session: aiohttp.ClientSession, secret: Secret
) -> None:
    for path in ("log", "log?follow=1"):
        url = f"{server.url}/builds/{secret.build.id}/{path}"
        async with session.get(url, headers=bearer("stranger")) as answer:
            assert answer.status == 404
            assert secret.mark not in await answer.text()


LOG = "subscription($id: ID!) { buildLog(buildId: $id) { ... on BuildLogChunk { text } } }"
UPDATED = "subscription($id: ID!) { buildUpdated(buildId: $id) { status dockerfile } }"
CHANGED = "subscription { imageChanged { id image { description } } }"


@contextlib.asynccontextmanager
async def subscribed(
    user: Client, query: str, **variables: Any
) -> AsyncIterator[aiohttp.ClientWebSocketResponse]:
    async with user.session.ws_connect(
        f"{user.url}/graphql", protocols=["graphql-transport-ws"]
    ) as socket:
        await socket.send_json({"type": "connection_init", "payload": user.headers})
        assert (await socket.receive_json())["type"] == "connection_ack"
        payload = {"query": query, "variables": variables}
        await socket.send_json({"id": "1", "type": "subscribe", "payload": payload})
        yield socket


async def next_of(socket: aiohttp.ClientWebSocketResponse) -> Any:
    async with asyncio.timeout(10):
        return await socket.receive_json()


async def set_visibility(server: Inside, user: Client, row: Image, visibility: str) -> None:
    query = "mutation($id: ID!, $input: UpdateImageInput!) { updateImage(id: $id, input: $input) "
    given = {"id": ids.encode("Image", row.id), "input": {"visibility": visibility}}
    answer = await user.ask(query + "{ __typename } }", **given)
    assert answer["__typename"] == "UpdateImagePayload"


@pytest.mark.parametrize("query", [LOG, UPDATED])
async def test_an_open_subscription_ends_when_its_image_turns_private(
    server: Inside, session: aiohttp.ClientSession, query: str
) -> None:
    row = await save(image(owner="owner"))
    build = await build_of(row, status=BuildStatus.BUILDING)
    await server.log(build, "public line")
    stranger, owner = client(session, server, "stranger"), client(session, server, "owner")
    async with subscribed(stranger, query, id=ids.encode("Build", build.id)) as socket:
        assert (await next_of(socket))["type"] == "next"
        await set_visibility(server, owner, row, "PRIVATE")
        await server.log(build, "private line")
        await server.move(build, BuildStatus.PUSHING)
        said = await next_of(socket)
        assert "There is no such build." in json.dumps(said)
        assert "private line" not in json.dumps(said)
        assert (await next_of(socket))["type"] == "complete"


async def test_a_subscription_to_what_was_private_from_the_start_tells_nothing(
    server: Inside, session: aiohttp.ClientSession, secret: Secret
) -> None:
    stranger = client(session, server, "stranger")
    for query in (LOG, UPDATED):
        async with subscribed(stranger, query, id=secret.build_id) as socket:
            said = json.dumps(await next_of(socket))
            assert "There is no such build." in said
            assert secret.mark not in said


async def test_an_open_download_ends_when_its_image_turns_private(
    server: Inside, session: aiohttp.ClientSession
) -> None:
    row = await save(image(owner="owner"))
    build = await build_of(row, status=BuildStatus.BUILDING)
    await server.log(build, "public line")
    url = f"{server.url}/builds/{build.id}/log?follow=1"
    async with session.get(url, headers=bearer("stranger")) as answer:
        assert await answer.content.readline() == b"public line\n"
        await set_visibility(server, client(session, server, "owner"), row, "PRIVATE")
        await server.log(build, "private line")
        async with asyncio.timeout(10):
            assert await answer.content.read() == b""


async def test_changes_are_told_to_those_who_see_the_image(
    server: Inside, session: aiohttp.ClientSession
) -> None:
    """Each user hears exactly what is theirs to hear; the last image, public, ends it."""
    owner = client(session, server, "owner")
    known = await save(image(owner="owner", description="known"))
    hidden = await save(image(owner="owner", visibility=Visibility.PRIVATE, description="hidden"))
    last = await save(image(owner="owner", description="last"))
    users = {
        "stranger": client(session, server, "stranger"),
        "owner": owner,
        "admin": client(session, server, "admin", **ADMIN),
    }
    async with contextlib.AsyncExitStack() as stack:
        sockets = {
            name: await stack.enter_async_context(subscribed(user, CHANGED))
            for name, user in users.items()
        }
        await _listening(server, len(users))
        for row, visibility in (
            (hidden, "PRIVATE"),  # edited, and stays private
            (known, "PRIVATE"),  # known to all before the subscription began
            (known, "PRIVATE"),
            (known, "PUBLIC"),
            (known, "PRIVATE"),
        ):
            await set_visibility(server, owner, row, visibility)
            await asyncio.sleep(0.05)  # changes of one image at once would be told once
        delete = "mutation($id: ID!) { deleteImage(id: $id) { __typename } }"
        for row in (hidden, known, last):
            await owner.ask(delete, id=ids.encode("Image", row.id))
        heard = {name: await _heard(socket, last) for name, socket in sockets.items()}
    assert heard["stranger"] == ["known gone", "known", "known gone", "last gone"]
    everything = ["hidden", "known", "known", "known", "known", "hidden gone", "known gone"]
    assert heard["owner"] == heard["admin"] == [*everything, "last gone"]


async def _listening(server: Inside, count: int) -> None:
    """Wait until so many subscriptions hear of images."""
    notifier: Any = server.services.notifier
    for _ in range(1000):
        if len(notifier._subscriptions.get(("image", None), ())) == count:
            break
        await asyncio.sleep(0.01)
    await asyncio.sleep(0.1)  # and until what they may see was read


async def _heard(socket: aiohttp.ClientWebSocketResponse, last: Image) -> list[str]:
    names = {}
    heard = []
    while True:
        event = (await next_of(socket))["payload"]["data"]["imageChanged"]
        if event["image"]:
            names[event["id"]] = event["image"]["description"]
        rows = {ids.encode("Image", last.id): "last"}
        name = rows.get(event["id"]) or names.get(event["id"]) or "known"
        heard.append(name if event["image"] else f"{name} gone")
        if event["id"] == ids.encode("Image", last.id):
            return heard


async def test_a_private_image_is_no_base_for_a_stranger(server: Inside) -> None:
    row = await save(
        image(owner="owner", name="/a/secret:1", visibility=Visibility.PRIVATE, digest="sha256:1")
    )
    old = "sha256:" + "0" * 64
    await build_of(row, digest=old)
    registry = server.services.settings.registry

    async def judge(author: str, name: str) -> str | None:
        build = Build(created_by=author)
        job = Job(services=server.services, build=build, image=row, log=None, folder=Path())  # type: ignore[arg-type]  # no log is written
        try:
            await refuse_hidden(job, name, parse_reference(name))
        except BuildFailed as failure:
            return failure.code.value
        return None

    for name in (f"{registry}/a/secret:1", f"{registry}/a/secret@{old}"):
        assert await judge("stranger", name) == "BASE_NOT_FOUND"
        assert await judge("owner", name) is None
    assert await judge("stranger", f"{registry}/a/other:1") is None
    assert await judge("stranger", "docker.io/a/secret:1") is None
