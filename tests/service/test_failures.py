"""Every failure provoked for real: its code, who is to blame, what to do, and how the log ends."""

import asyncio
import contextlib
from collections.abc import AsyncIterator, Iterator
from pathlib import Path

import pytest

from server.local.engine import local_engine
from server.local.process import free_port
from server.local.registry import local_registry
from tests.fixtures.git import BareRepository, File, GitServer, Link
from tests.fixtures.registry import RegistryServer
from tests.fixtures.service import JSON, Client, Server, client_of, serving
from tests.service.hasty import hasty_server
from tests.service.places import tags, until, work_of
from tests.service.test_dockerfile import new_name


@pytest.fixture(scope="module")
def hasty(
    docker_engine: str, registry: RegistryServer, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[Server]:
    """A server with small limits, which looks at no git server before the build does."""
    settings = {
        "GIT_CHECK_SECONDS": "0.001",
        "GIT_ANSWER_SECONDS": "2",
        "BUILD_SECONDS": "6",
        "LOG_BYTES": "20000",
        "CONTEXT_BYTES": "100000",
    }
    folder = tmp_path_factory.mktemp("hasty")
    with hasty_server(folder, docker_engine, registry.host, **settings) as server:
        yield server


@pytest.fixture
async def user(hasty: Server) -> AsyncIterator[Client]:
    async with client_of(hasty.url) as client:
        yield client


async def failed(client: Client, created: JSON, code: str, blame: str, *says: str) -> JSON:
    """The build, which must have failed so, and said so at the end of its log."""
    build = await client.finished(created)
    log = await client.log(build["id"])
    failure = build["failure"]
    assert build["status"] == "FAILED", log
    assert (failure["code"], failure["blame"]) == (code, blame), failure
    assert not [text for text in says if text not in failure["message"]], failure["message"]
    assert log.rstrip().endswith(f"{code}: {failure['message']}"), log
    assert {step["status"] for step in build["steps"]} <= {"DONE", "CACHED", "FAILED", "CANCELED"}
    assert (await client.image(created["image"]["id"]))["status"] == "FAILED"
    if blame == "USER":
        assert build["attempt"] == 1
        assert "This was" not in log
    return build


TREE: dict[str, File] = {"Dockerfile": "FROM scratch\nCOPY . /\n"}


@pytest.fixture(scope="module")
def repository(git_server: GitServer) -> BareRepository:
    return git_server.create(
        "failing.git",
        {
            "main": TREE,
            "invalid": {"Dockerfile": "FROM scratch\nCOPPY . /\n"},
            "leaving": {**TREE, "out": Link("/etc/passwd")},
            "large": {**TREE, "large": "x" * 200_000},
        },
    )


GIT: list[tuple[str, dict[str, str], str, tuple[str, ...]]] = [
    ("private", {"token": "wrong"}, "GIT_AUTH", ("token",)),
    ("barred", {"token": "glpat-Open_Sesame-42"}, "GIT_AUTH", ("read_repository",)),
    ("nowhere", {}, "GIT_NOT_FOUND", ("address",)),
    ("public", {"ref": "mian"}, "GIT_REF_NOT_FOUND", ("mian", "main")),
    ("public", {"dockerfilePath": "Dockerfil"}, "DOCKERFILE_NOT_FOUND", ("Dockerfil",)),
    ("public", {"contextPath": "demo"}, "CONTEXT_INVALID", ("contextPath", "demo")),
    ("public", {"ref": "invalid"}, "DOCKERFILE_INVALID", ("COPPY", "line 2")),
    ("public", {"ref": "leaving"}, "CONTEXT_INVALID", ("out", ".dockerignore")),
    ("public", {"ref": "large"}, "CONTEXT_TOO_LARGE", ("too large",)),
]  # fmt: skip


@pytest.mark.parametrize(("door", "given", "code", "says"), GIT)
async def test_what_is_wrong_in_git(
    user: Client,
    git_server: GitServer,
    repository: BareRepository,
    door: str,
    given: dict[str, str],
    code: str,
    says: tuple[str, ...],
) -> None:
    url = git_server.url("failing.git", door)
    created = await user.create("Git", name=new_name(), url=url, **{"ref": "main", **given})
    await failed(user, created, code, "USER", *says)


@pytest.mark.parametrize("door", ["busy", "hang"])
async def test_a_git_server_that_is_down(
    user: Client, git_server: GitServer, repository: BareRepository, door: str
) -> None:
    url = git_server.url("failing.git", door)
    created = await user.create("Git", name=new_name(), url=url, ref="main")
    build = await failed(user, created, "GIT_UNREACHABLE", "SYSTEM", "Try again later")
    assert build["attempt"] == 2
    assert "This was try 1 of 2; the next one follows in 0.1 seconds." in await user.log(
        build["id"]
    )


async def test_a_step_that_fails(user: Client, base: str) -> None:
    text = f"FROM {base}\nRUN echo so far so good\nRUN echo no such luck; exit 3\n"
    created = await user.create("Dockerfile", name=new_name(), dockerfile=text)
    build = await failed(user, created, "STEP_FAILED", "USER", "exit code 3", "log says why")
    (step,) = [step for step in build["steps"] if step["status"] == "FAILED"]
    assert build["failure"]["step"] == step["index"]
    assert "no such luck" in step["name"]
    assert build["dockerfile"] == text


async def test_a_step_that_takes_too_long(user: Client, hasty: Server, base: str) -> None:
    created = await user.create(
        "Dockerfile", name=new_name(), dockerfile=f"FROM {base}\nRUN sleep 300\n"
    )
    await failed(user, created, "TIMEOUT", "USER", "6 seconds", "limit")
    assert work_of(hasty.data) == []


async def test_a_step_that_writes_too_much(user: Client, base: str) -> None:
    text = f"FROM {base}\nRUN seq 100000\n"
    created = await user.create("Dockerfile", name=new_name(), dockerfile=text)
    build = await failed(user, created, "LOG_TOO_LARGE", "USER", "20000 bytes", "quieter")
    assert build["failure"]["step"]


async def test_bases_that_are_not_to_be_had(
    user: Client, bearer_registry: RegistryServer, registry: RegistryServer
) -> None:
    missing = f"{registry.host}/library/nothing:1"
    created = await user.create("Dockerfile", name=new_name(), dockerfile=f"FROM {missing}\n")
    await failed(user, created, "BASE_NOT_FOUND", "USER", missing, "Check its name")
    denied = f"{bearer_registry.host}/private/base:1"
    created = await user.create("Dockerfile", name=new_name(), dockerfile=f"FROM {denied}\n")
    await failed(user, created, "BASE_DENIED", "USER", denied)
    nobody = f"127.0.0.1:{free_port()}/library/base:1"
    created = await user.create("Dockerfile", name=new_name(), dockerfile=f"FROM {nobody}\n")
    await failed(user, created, "REGISTRY_UNREACHABLE", "SYSTEM", nobody)


async def test_a_push_that_is_denied(
    docker_engine: str, bearer_registry: RegistryServer, base: str, tmp_path: Path
) -> None:
    guest = bearer_registry.guest
    assert guest is not None
    settings = {
        "ENGINE_URL": docker_engine,
        "REGISTRY": bearer_registry.host,
        "REGISTRY_USERNAME": guest.username,
        "REGISTRY_PASSWORD": guest.password,
    }
    with serving(tmp_path / "data", settings) as server:
        async with client_of(server.url) as client:
            created = await client.create(
                "Dockerfile", name=new_name(), dockerfile=f"FROM {base}\nLABEL a=b\n"
            )
            await failed(client, created, "PUSH_DENIED", "USER", "push", "account")


async def test_a_registry_that_stops_is_pushed_to_again_and_nothing_is_built_again(
    docker_engine: str, base: str, tmp_path: Path
) -> None:
    port = free_port()
    settings = {
        "ENGINE_URL": docker_engine,
        "REGISTRY": f"127.0.0.1:{port}",
        "RETRY_SECONDS": "0.4",
        "BUILD_ATTEMPTS": "4",
    }
    with serving(tmp_path / "data", settings) as server:
        async with client_of(server.url) as client:
            text = f"FROM {base}\nRUN echo built {new_name()}\n"
            created = await client.create("Dockerfile", name=new_name(), dockerfile=text)
            id_ = created["build"]["id"]
            await client.reached(id_, "PUSHING")
            await until(lambda: _says(client, id_, "This was push 1 of 4"), "the first failure")
            with local_registry(tmp_path / "registry", port):
                build = await client.finished(created)
                assert build["status"] == "SUCCEEDED", await client.log(id_)
                assert await tags(settings["REGISTRY"], created["image"]["repository"]) == ["1.0"]
            log = await client.log(id_)
            assert build["attempt"] == 1
            assert log.count("] RUN echo built") == 1
            assert "REGISTRY_UNREACHABLE: " in log

            created = await client.create("Dockerfile", name=new_name(), dockerfile=text)
            build = await failed(
                client, created, "REGISTRY_UNREACHABLE", "SYSTEM", "4 times", "rebuildImage"
            )
            assert build["attempt"] == 1
            log = await client.log(build["id"])
            assert log.count("This was push ") == 3


async def test_an_engine_that_stops_in_the_middle(
    registry: RegistryServer, base: str, tmp_path: Path
) -> None:
    folder = tmp_path / "engine"
    with contextlib.ExitStack() as stack:
        engine = contextlib.ExitStack()
        url = engine.enter_context(local_engine(folder))
        stack.callback(engine.close)
        settings = {
            "ENGINE_URL": url,
            "REGISTRY": registry.host,
            "RETRY_SECONDS": "0.5",
            "BUILD_ATTEMPTS": "2",
        }
        server = stack.enter_context(serving(tmp_path / "data", settings))
        async with client_of(server.url) as client:
            created = await client.create(
                "Dockerfile", name=new_name(), dockerfile=f"FROM {base}\nRUN echo up; sleep 60\n"
            )
            await until(lambda: _says(client, created["build"]["id"], "up"), "the step")
            await asyncio.to_thread(engine.close)
            build = await failed(client, created, "ENGINE_UNREACHABLE", "SYSTEM", "Check that")
            assert build["attempt"] == 2
            assert work_of(server.data) == []


async def test_a_server_that_is_killed_is_taken_over(
    docker_engine: str, registry: RegistryServer, base: str, tmp_path: Path
) -> None:
    settings = {
        "ENGINE_URL": docker_engine,
        "REGISTRY": registry.host,
        "LEASE_SECONDS": "1",
        "BUILD_ATTEMPTS": "2",
    }
    data = tmp_path / "data"
    text = f"FROM {base}\nRUN echo up {new_name()}; sleep 2\n"
    with serving(data, settings) as server:
        async with client_of(server.url) as client:
            saved = await client.create("Dockerfile", name=new_name(), dockerfile=text)
            lost = await client.create(
                "Dockerfile", name=new_name(), dockerfile=f"FROM {base}\nRUN echo up; sleep 60\n"
            )
            await until(lambda: _says(client, saved["build"]["id"], "up"), "the step")
            await until(lambda: _says(client, lost["build"]["id"], "up"), "the step")
            server.kill()
    assert work_of(data), "a kill leaves no time to clean up"
    with serving(data, settings, server.port) as server:
        async with client_of(server.url) as client:
            build = await client.finished(saved)
            log = await client.log(build["id"])
            assert build["status"] == "SUCCEEDED", log
            assert build["attempt"] == 2
            assert "WORKER_LOST: " in log
            assert "This was try 1 of 2; the build starts again." in log
            await client.reached(lost["build"]["id"], "BUILDING")
            server.kill()
    with serving(data, settings, server.port) as server:
        async with client_of(server.url) as client:
            build = await failed(client, lost, "WORKER_LOST", "SYSTEM", "administrator")
            assert build["attempt"] == 2
            await until(lambda: _no_work(data), "an empty work folder")


async def _says(client: Client, id_: str, text: str) -> bool:
    found = await client.ask(LOG, id=id_)
    return any(text in chunk["text"] for chunk in found["log"]["chunks"])


async def _no_work(data: Path) -> bool:
    return not work_of(data)


LOG = "query($id: ID!) { build(id: $id) { log { chunks { text } } } }"
