"""Following a build's states and steps, and every change of an image."""

import asyncio
import contextlib
import itertools
import logging
from collections.abc import AsyncIterator, Callable
from pathlib import Path
from uuid import uuid4

import pytest
from starlette.types import Message, Receive, Scope, Send

from models.enums import Visibility
from tests.fixtures.registry import RegistryServer
from tests.fixtures.service import BUILD, JSON, Client, client_of
from tests.rows import image, save
from tests.server.serving import served
from tests.service.inside import inside
from tests.service.places import until
from tests.service.test_dockerfile import new_name
from tests.service.tokens import bearer

UPDATED = f"subscription($id: ID!) {{ buildUpdated(buildId: $id) {{ {BUILD} }} }}"
CHANGED = """subscription { imageChanged { id image {
  id name status description visibility digest tags { slug } } } }"""
UPDATE = """mutation($id: ID!, $input: UpdateImageInput!) { updateImage(id: $id, input: $input) {
  __typename ... on Error { message } } }"""
CANCEL = "mutation($id: ID!) { cancelBuild(id: $id) { __typename } }"
DELETE = "mutation($id: ID!) { deleteImage(id: $id) { __typename } }"

STATES = ["QUEUED", "PREPARING", "BUILDING", "PUSHING", "SUCCEEDED"]
STEP_STATES = ["PENDING", "RUNNING", "DONE"]


async def updates(client: Client, dockerfile: str) -> list[JSON]:
    """Everything that `buildUpdated` tells of a build, from its beginning to its end."""
    created = await client.create("Dockerfile", name=new_name(), dockerfile=dockerfile)
    return [event async for event in client.subscribe(UPDATED, id=created["build"]["id"])]


def in_turn(values: list[str]) -> list[str]:
    """The values without repeats of the one before."""
    return [value for value, _ in itertools.groupby(values)]


def steps_named(events: list[JSON], part: str) -> list[JSON]:
    """One step, as each event has it."""
    return [step for event in events for step in event["steps"] if part in step["name"]]


def is_part(found: list[str], order: list[str]) -> bool:
    """Whether these are some of the states, in their order."""
    rest = iter(order)
    return all(state in rest for state in found)


async def test_a_build_is_told_from_state_to_state(client: Client, base: str) -> None:
    mark = uuid4().hex
    events = await updates(
        client,
        f"FROM {base}\nRUN : {mark} first; for n in $(seq 60); do echo $n; sleep 0.02; done\n"
        f"RUN : {mark} second\n",
    )
    states = in_turn([event["status"] for event in events])
    assert is_part(states, STATES), states
    assert states[-1] == "SUCCEEDED"
    assert [event["finishedAt"] is not None for event in events].index(True) == len(events) - 1

    for part in (f"{mark} first", f"{mark} second"):
        seen = steps_named(events, part)
        told = in_turn([step["status"] for step in seen])
        assert is_part(told, STEP_STATES), told
        assert told[-1] == "DONE"
        assert len({(step["index"], step["name"]) for step in seen}) == 1
        for step in seen:
            assert (step["startedAt"] is None) == (step["status"] == "PENDING")
            assert (step["finishedAt"] is None) == (step["status"] != "DONE")
        assert seen[-1]["startedAt"] < seen[-1]["finishedAt"]
    first, second = steps_named(events, "first")[-1], steps_named(events, "second")[-1]
    assert first["index"] < second["index"]
    assert first["finishedAt"] <= second["startedAt"]
    # Log lines alone are no news: there are far more of them than of events.
    assert len(events) < events[-1]["lineCount"] / 2


async def test_a_step_is_told_while_it_runs(client: Client, base: str) -> None:
    text = f"FROM {base}\nRUN : {uuid4().hex}; sleep 1000\nRUN : {uuid4().hex} never\n"
    created = await client.create("Dockerfile", name=new_name(), dockerfile=text)
    id_ = created["build"]["id"]
    told: list[str] = []
    async for event in client.subscribe(UPDATED, id=id_):
        told += [step["status"] for step in steps_named([event], "sleep 1000")]
        if told[-1:] == ["RUNNING"] and event["status"] == "BUILDING":
            assert steps_named([event], "never")[0]["status"] == "PENDING"
            await client.ask(CANCEL, id=id_)
    assert in_turn(told)[-2:] == ["RUNNING", "CANCELED"]
    assert event["status"] == "CANCELED"
    assert steps_named([event], "never")[0]["status"] == "CANCELED"


async def test_a_failure_names_its_step_and_ends_the_others(client: Client, base: str) -> None:
    mark = uuid4().hex
    events = await updates(
        client,
        f"FROM {base} AS slow\nRUN : {mark} slow; sleep 1000; touch /slow\n"
        f"FROM {base}\nRUN : {mark} bad; exit 9\nCOPY --from=slow /slow /\n"
        f"RUN : {mark} never\n",
    )
    last = events[-1]
    assert last["status"] == "FAILED"
    (bad,) = [step for step in last["steps"] if step["status"] == "FAILED"]
    assert last["failure"]["step"] == bad["index"]
    assert f"{mark} bad" in bad["name"]
    assert "exit code" in bad["error"]
    for other in ("slow", "never"):
        assert {step["status"] for step in steps_named([last], f"{mark} {other}")} == {"CANCELED"}
    assert {step["status"] for step in last["steps"]} <= {"DONE", "CACHED", "FAILED", "CANCELED"}


async def test_a_build_that_is_over_is_told_once(client: Client) -> None:
    text = f"FROM scratch\nLABEL once={uuid4().hex}\n"
    created = await client.create("Dockerfile", name=new_name(), dockerfile=text)
    finished = await client.finished(created)
    events = [event async for event in client.subscribe(UPDATED, id=created["build"]["id"])]
    assert events == [finished]


class Watch:
    """The events of `imageChanged` since it began."""

    def __init__(self) -> None:
        self.events: list[JSON] = []
        self._more = asyncio.Condition()

    def of(self, id_: str) -> list[JSON]:
        return [event for event in self.events if event["id"] == id_]

    async def collect(self, events: AsyncIterator[JSON]) -> None:
        async for event in events:
            async with self._more:
                self.events.append(event)
                self._more.notify_all()

    async def until(self, id_: str, wanted: Callable[[JSON], bool], seconds: float = 20) -> JSON:
        """The first event of this image that is wanted."""

        def found() -> JSON | None:
            return next((event for event in self.of(id_) if wanted(event)), None)

        async with asyncio.timeout(seconds), self._more:
            await self._more.wait_for(lambda: found() is not None)
        event = found()
        assert event is not None
        return event


@contextlib.asynccontextmanager
async def watching(client: Client) -> AsyncIterator[Watch]:
    """Everything that changes while the block runs.

    A subscription is not acknowledged, so one image is changed until that is heard of.
    """
    watch = Watch()
    text = f"FROM scratch\nLABEL once={uuid4().hex}\n"
    created = await client.create("Dockerfile", name=new_name(), dockerfile=text)
    await client.finished(created)
    id_ = created["image"]["id"]
    task = asyncio.create_task(watch.collect(client.subscribe(CHANGED)))
    try:
        for attempt in itertools.count():
            assert attempt < 100
            await client.ask(UPDATE, id=id_, input={"description": str(attempt)})
            with contextlib.suppress(TimeoutError):
                await watch.until(id_, lambda event: True, seconds=0.1)
                break
        yield watch
    finally:
        task.cancel()
        await asyncio.gather(task, return_exceptions=True)


async def test_every_change_of_an_image_is_told(client: Client) -> None:
    name = new_name()
    async with watching(client) as watch:
        text = f"FROM scratch\nLABEL once={uuid4().hex}\n"
        created = await client.create("Dockerfile", name=name, dockerfile=text)
        id_ = created["image"]["id"]
        await client.finished(created)
        ready = await watch.until(id_, lambda event: event["image"]["status"] == "READY")
        assert ready["image"]["digest"]
        assert ready["image"]["name"] == name
        states = in_turn([event["image"]["status"] for event in watch.of(id_)])
        assert is_part(states, ["QUEUED", "BUILDING", "READY"]), states

        change = {"description": "new", "tags": ["task/vision"], "visibility": "PUBLIC"}
        await client.ask(UPDATE, id=id_, input=change)
        changed = await watch.until(id_, lambda event: event["image"]["description"] == "new")
        assert changed["image"]["tags"] == [{"slug": "task/vision"}]
        assert changed["image"]["visibility"] == "PUBLIC"

        await client.ask(DELETE, id=id_)
        gone = await watch.until(id_, lambda event: event["image"] is None)
        assert watch.of(id_)[-1] == gone == {"id": id_, "image": None}


async def test_a_failed_build_changes_its_image(client: Client, registry: RegistryServer) -> None:
    async with watching(client) as watch:
        text = f"FROM {registry.host}/none/{uuid4().hex}:1\n"
        created = await client.create("Dockerfile", name=new_name(), dockerfile=text)
        failed = await watch.until(
            created["image"]["id"], lambda event: event["image"]["status"] == "FAILED"
        )
        assert failed["image"]["digest"] is None


async def test_there_is_nothing_to_follow_of_what_is_not_there(client: Client) -> None:
    for query in (
        'subscription { buildUpdated(buildId: "QnVpbGQ6OTk5OTk5") { id } }',
        'subscription { buildLog(buildId: "nonsense") { __typename } }',
    ):
        messages = await first_messages(client, query)
        assert messages == ["There is no such build."]


async def first_messages(client: Client, query: str) -> list[str]:
    """The errors that a subscription begins with."""
    async with client.session.ws_connect(
        f"{client.url}/graphql", protocols=["graphql-transport-ws"]
    ) as socket:
        await socket.send_json({"type": "connection_init"})
        await socket.receive_json()
        await socket.send_json({"id": "1", "type": "subscribe", "payload": {"query": query}})
        message = await socket.receive_json()
    errors = message["payload"] if message["type"] == "error" else message["payload"]["errors"]
    return [error["message"] for error in errors]


async def test_a_client_that_hangs_up_while_it_is_sent_to_is_no_news(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    async with inside(tmp_path) as server:
        # The moment between the loss of a connection and the news of it: no client can choose it.
        async def losing(scope: Scope, receive: Receive, send: Send) -> None:
            async def lost(message: Message) -> None:
                if '"next"' in message.get("text", ""):
                    raise OSError
                await send(message)

            assert scope["type"] == "websocket"
            await server.app(scope, receive, lost)

        row = await save(image(visibility=Visibility.PUBLIC))
        async with served(losing) as url, client_of(url, **bearer("mina")) as user:
            logging.getLogger("uvicorn").addHandler(caplog.handler)  # it has its own
            socket = await user.session.ws_connect(
                f"{url}/graphql", protocols=["graphql-transport-ws"]
            )
            async with socket:
                await socket.send_json({"type": "connection_init", "payload": user.headers})
                for id_ in "12":
                    query = {"query": "subscription { imageChanged { id } }"}
                    await socket.send_json({"id": id_, "type": "subscribe", "payload": query})
                await socket.send_json({"type": "ping"})
                assert [(await socket.receive_json())["type"] for _ in range(2)] == [
                    "connection_ack",
                    "pong",
                ]
                caplog.set_level(logging.DEBUG, "server.websocket")
                server.services.notifier.publish("image", row.id)
                await until(lambda: _both(caplog), "the end of both")
                await socket.send_json({"type": "ping"})  # which nobody can answer any more
                await socket.receive()
    assert [record for record in caplog.records if record.levelno >= logging.ERROR] == []


async def _both(caplog: pytest.LogCaptureFixture) -> bool:
    names = [record.name for record in caplog.records]
    return names.count("server.websocket") + names.count("strawberry.ws.task") >= 2
