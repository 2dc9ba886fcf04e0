"""A cancel in every state: within two seconds, once and for all, and nothing is left."""

import asyncio
import base64
import contextlib
import random
import threading
import time
from collections.abc import AsyncIterator, Iterator
from pathlib import Path

import pytest

from engine.registry import Registry
from tests.fixtures.git import BareRepository, GitServer
from tests.fixtures.registry import RegistryServer
from tests.fixtures.service import JSON, Client, Server, client_of, serving
from tests.servers.slow_registry import SlowRegistry, slow_registry
from tests.service.places import containers, tags, until, work_of
from tests.service.test_dockerfile import new_name

SECONDS = 2
SLEEPING = "RUN echo asleep; sleep 600\n"


@pytest.fixture(scope="module")
def slow(registry: RegistryServer) -> Iterator[SlowRegistry]:
    """The registry behind a door that can be held shut against pushes."""
    with slow_registry(registry.host) as found:
        yield found


@pytest.fixture(scope="module")
def one_at_a_time(
    docker_engine: str, slow: SlowRegistry, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[Server]:
    """A server that runs one build and pushes through the door."""
    settings = {
        "ENGINE_URL": docker_engine,
        "REGISTRY": slow.host,
        "GIT_ALLOW_LOOPBACK": "true",
        "GIT_CHECK_SECONDS": "0.2",
        "LEASE_SECONDS": "3",  # what the registry takes late is found as often
        "BUILDS_AT_ONCE": "1",
        "RETRY_SECONDS": "0.2",
    }
    with serving(tmp_path_factory.mktemp("one"), settings) as server:
        yield server


@pytest.fixture
async def user(one_at_a_time: Server) -> AsyncIterator[Client]:
    async with client_of(one_at_a_time.url) as client:
        yield client


async def canceled(client: Client, id_: str) -> JSON:
    """Cancel twice; the build as it is when it is over, which must be soon."""
    before = time.monotonic()
    answers = [await client.ask(CANCEL, id=id_) for _ in range(2)]
    assert {answer["build"]["status"] for answer in answers} <= {"CANCELING", "CANCELED"}
    build = await client.reached(id_, "CANCELED", "SUCCEEDED", "FAILED")
    assert time.monotonic() - before < SECONDS
    assert build["status"] == "CANCELED"
    again = await client.ask(CANCEL, id=id_)
    assert again["build"]["status"] == "CANCELED"
    return build


async def nothing_is_left(server: Server, image: JSON, client: Client) -> None:
    assert work_of(server.data) == []
    assert await tags(image["registry"], image["repository"]) == []
    found = await client.image(image["id"])
    assert (found["status"], found["digest"]) == ("CANCELED", None)
    build = found["latestBuild"]
    assert build["digest"] is build["failure"] is None
    assert build["finishedAt"]
    assert {step["status"] for step in build["steps"]} <= {"DONE", "CACHED", "CANCELED"}


async def test_while_it_waits(user: Client, one_at_a_time: Server, base: str) -> None:
    running = await user.create(
        "Dockerfile", name=new_name(), dockerfile=f"FROM {base}\n{SLEEPING}"
    )
    await user.reached(running["build"]["id"], "BUILDING")
    waiting = await user.create("Dockerfile", name=new_name(), dockerfile=f"FROM {base}\n")
    assert (await user.build(waiting["build"]["id"]))["status"] == "QUEUED"
    build = await canceled(user, waiting["build"]["id"])
    assert build["startedAt"] is None
    assert await user.log(build["id"]) == "Canceled while it waited."
    assert build["lineCount"] == 1
    await canceled(user, running["build"]["id"])
    await nothing_is_left(one_at_a_time, waiting["image"], user)


async def test_while_git_fetches(
    user: Client, one_at_a_time: Server, git_server: GitServer, demo_repository: BareRepository
) -> None:
    url = git_server.url("demo.git", "stall")
    created = await user.create("Git", name=new_name(), url=url, ref="main")
    await _said(user, created["build"]["id"], "Fetching the branch")
    await canceled(user, created["build"]["id"])
    await nothing_is_left(one_at_a_time, created["image"], user)
    assert (await user.log(created["build"]["id"])).endswith("Canceled.")


async def test_while_a_step_runs(
    user: Client, one_at_a_time: Server, docker_engine: str, base: str
) -> None:
    before = await containers(docker_engine)
    created = await user.create(
        "Dockerfile", name=new_name(), dockerfile=f"FROM {base}\nRUN : {new_name()}\n{SLEEPING}"
    )
    await _said(user, created["build"]["id"], "asleep")
    build = await canceled(user, created["build"]["id"])
    assert build["steps"][-1]["status"] == "CANCELED"
    await nothing_is_left(one_at_a_time, created["image"], user)
    assert await containers(docker_engine) == before
    await until(lambda: _no_process("sleep 600"), "the end of the step's process")


@pytest.mark.parametrize(
    ("method", "part", "after"),
    [
        ("PATCH", "/blobs/uploads/", False),  # a layer on its way
        ("PUT", "/manifests/1.0", False),  # all layers are there, the manifest on its way
        ("PUT", "/manifests/1.0", True),  # the manifest is there, and the engine does not know
        ("GET", "/manifests/sha256:", True),  # pushed; the result is being read back
    ],
)
async def test_while_it_is_pushed(
    user: Client,
    one_at_a_time: Server,
    slow: SlowRegistry,
    base: str,
    method: str,
    part: str,
    after: bool,
) -> None:
    text = f"FROM {base}\nRUN echo {new_name()} > /x\n"
    with slow.holding(method, part, after=after) as hold:
        created = await user.create("Dockerfile", name=new_name(), dockerfile=text)
        await until(lambda: _set(hold.arrived), "the request")
        await canceled(user, created["build"]["id"])
        if after:
            await nothing_is_left(one_at_a_time, created["image"], user)
    await until(lambda: _set(hold.over), "the end of the request")
    await until(lambda: _empty(created["image"]), "an empty repository", seconds=5)
    await nothing_is_left(one_at_a_time, created["image"], user)


async def test_a_canceled_rebuild_leaves_the_image_before_it(
    user: Client, slow: SlowRegistry, git_server: GitServer
) -> None:
    repository = git_server.create(
        "again.git", {"main": {"Dockerfile": "FROM scratch\nCOPY . /\n"}}
    )
    created = await user.create("Git", name=new_name(), url=git_server.url("again.git"), ref="main")
    first = await user.finished(created)
    image = created["image"]
    repository.commit("main", {"Dockerfile": "FROM scratch\nCOPY . /\n", "more": "more\n"})
    with slow.holding("GET", "/manifests/sha256:", after=True) as hold:
        again = await user.ask(REBUILD, id=image["id"])
        await until(lambda: _set(hold.arrived), "the request")
        assert await _digest(image) != first["digest"]
        await canceled(user, again["build"]["id"])
    assert await _digest(image) == first["digest"]
    found = await user.image(image["id"])
    assert (found["status"], found["digest"]) == ("CANCELED", first["digest"])


async def test_a_cancel_does_not_take_an_equal_image_from_under_another_name(
    user: Client, slow: SlowRegistry, base: str
) -> None:
    text = f"FROM {base}\nLABEL unique={new_name()}\n"
    name = new_name()
    first = await user.finished(await user.create("Dockerfile", name=name, dockerfile=text))
    with slow.holding("GET", "/manifests/sha256:", after=True) as hold:
        second = await user.create("Dockerfile", name=name.replace(":1.0", ":2.0"), dockerfile=text)
        await until(lambda: _set(hold.arrived), "the request")
        await canceled(user, second["build"]["id"])
    assert await tags(slow.host, second["image"]["repository"]) == ["1.0"]
    assert await _digest({**second["image"], "registryTag": "1.0"}) == first["digest"]


async def test_a_race_with_success_ends_as_one_of_the_two(client: Client, base: str) -> None:
    """The moment of the cancel is drawn at random over the whole time that a build takes."""
    text = f"FROM {base}\nLABEL for=races\n"
    start = time.monotonic()
    await client.finished(await client.create("Dockerfile", name=new_name(), dockerfile=text))
    took = time.monotonic() - start
    ends: list[str] = []
    for pair in _batches(_chances(32), 2):
        ends += await asyncio.gather(*(_race(client, text, took * chance) for chance in pair))
    assert set(ends) == {"CANCELED", "SUCCEEDED"}, "the moments cover both"


async def _race(client: Client, text: str, seconds: float) -> str:
    created = await client.create("Dockerfile", name=new_name(), dockerfile=text)
    image, id_ = created["image"], created["build"]["id"]
    await asyncio.sleep(seconds)
    await client.ask(CANCEL, id=id_)
    build = await client.finished(created)
    found = await client.image(image["id"])
    if build["status"] == "SUCCEEDED":
        assert (found["status"], found["digest"]) == ("READY", build["digest"])
        assert await _digest(image) == build["digest"]
    else:
        assert build["status"] == found["status"] == "CANCELED"
        assert build["digest"] is found["digest"] is None
        assert await tags(image["registry"], image["repository"]) == []
    assert (await client.build(id_))["status"] == build["status"]
    return str(build["status"])


async def test_deleting_cancels_and_removes_everything(
    user: Client, one_at_a_time: Server, docker_engine: str, base: str
) -> None:
    before = await containers(docker_engine)
    created = await user.create(
        "Dockerfile", name=new_name(), dockerfile=f"FROM {base}\nRUN : {new_name()}\n{SLEEPING}"
    )
    image, build = created["image"]["id"], created["build"]["id"]
    await _said(user, build, "asleep")
    start = time.monotonic()
    assert await user.ask(DELETE, id=image) == {"__typename": "DeleteImagePayload", "id": image}
    assert time.monotonic() - start < SECONDS
    assert await user.build(build) is None
    assert await user.image(image) is None
    assert (await user.ask(DELETE, id=image))["__typename"] == "NotFoundError"
    await until(lambda: _no_log(one_at_a_time.data, build), "the end of the log")
    assert await containers(docker_engine) == before
    assert work_of(one_at_a_time.data) == []


CANCEL = """mutation($id: ID!) { cancelBuild(id: $id) {
    ... on CancelBuildPayload { build { status } } } }"""
DELETE = (
    "mutation($id: ID!) { deleteImage(id: $id) { __typename ... on DeleteImagePayload { id } } }"
)
REBUILD = """mutation($id: ID!) { rebuildImage(id: $id, input: {pinned: false}) {
    ... on CreateImagePayload { build { id } } } }"""


def _batches(chances: list[float], size: int) -> Iterator[list[float]]:
    """As many at once as the server builds."""
    yield from (chances[at : at + size] for at in range(0, len(chances), size))


def _chances(count: int) -> list[float]:
    """Spread over the whole, and denser towards the end, where the race is."""
    return [
        random.uniform(*((0.2, 0.7) if number % 4 == 0 else (0.7, 1.1)))  # noqa: S311  # no secret
        for number in range(count)
    ]


async def _said(client: Client, id_: str, text: str) -> None:
    async with contextlib.aclosing(client.follow(id_)) as events:
        async for event in events:
            if text in event.get("text", ""):
                return
    raise AssertionError(f"The log never said {text!r}.")


async def _set(event: threading.Event) -> bool:
    return event.is_set()


async def _empty(image: JSON) -> bool:
    return not await tags(image["registry"], image["repository"])


async def _digest(image: JSON) -> str | None:
    async with Registry(image["registry"], None) as registry:
        return (await registry.resolve(image["repository"], image["registryTag"])).digest


async def _no_log(data: Path, id_: str) -> bool:
    number = base64.b64decode(id_).decode().rpartition(":")[2]
    return not [
        path for path in (data / "blobs" / "logs").rglob("*") if path.name == f"{number}.log.zst"
    ]


async def _no_process(command: str) -> bool:
    return not await asyncio.to_thread(_runs, command)


def _runs(command: str) -> bool:
    wanted = command.encode().replace(b" ", b"\0")
    for path in Path("/proc").glob("[0-9]*/cmdline"):
        with contextlib.suppress(OSError):  # it ended while we looked
            if wanted in path.read_bytes():
                return True
    return False
