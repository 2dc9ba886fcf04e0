"""An image made again: exactly from its record, or from today's inputs, and what differs."""

import asyncio
import os
import shutil
from collections.abc import AsyncIterator, Iterator
from uuid import uuid4

import pytest

from engine.docker.client import DockerEngine
from engine.registry import Registry
from tests.fixtures.docker import PushBusybox, have_base
from tests.fixtures.git import BareRepository, File, GitServer
from tests.fixtures.registry import RegistryServer
from tests.fixtures.service import JSON, Client, Server, client_of, serving
from tests.service.pulled import files_of
from tests.service.test_dockerfile import new_name

MODERN = "DARKROOM_TEST_CONTAINERD_ENGINE"
"""Names an engine with the containerd image store; without one, its tests are skipped."""


@pytest.fixture
def repository(git_server: GitServer) -> BareRepository:
    """A repository of this test alone."""
    return git_server.create(f"{uuid4().hex}.git", {"main": tree("first")})


@pytest.fixture
async def moving_base(registry: RegistryServer, busybox: PushBusybox) -> "Base":
    """A base image of this test alone, whose tag can be pointed elsewhere."""
    repository = f"library/{uuid4().hex}"
    pushed = await busybox(registry.host, repository=repository)
    return Base(registry.host, repository, pushed.digest)


class Base:
    def __init__(self, host: str, repository: str, digest: str) -> None:
        self.host, self.repository, self.digest = host, repository, digest

    @property
    def reference(self) -> str:
        return f"{self.host}/{self.repository}:1"

    async def move(self, client: Client) -> str:
        """Point the tag at another image; its digest."""
        text = f"FROM {self.host}/{self.repository}@{self.digest}\nLABEL moved={uuid4().hex}\n"
        name = f"/{self.repository}:1"
        given = {"name": name, "dockerfile": text, "overwrite": True}
        build = await client.finished(await client.create("Dockerfile", **given))
        assert build["status"] == "SUCCEEDED", await client.log(build["id"])
        return str(build["digest"])

    async def vanish(self) -> None:
        async with Registry(self.host, None) as registry:
            await registry.delete_manifest(self.repository, self.digest)


def tree(content: str, base: str = "scratch") -> dict[str, File]:
    return {"Dockerfile": f"FROM {base}\nCOPY file /\n", "file": f"{content}\n"}


async def again(client: Client, image: JSON, **given: object) -> JSON:
    """A rebuild, once it is over, with what it says of the build that it repeats."""
    created = await client.ask(REBUILD, id=image["id"], input=given)
    assert created["__typename"] == "CreateImagePayload", created
    await client.finished({**created, "build": created["build"]})
    found: JSON = await client.ask(REPEATED, id=created["build"]["id"])
    return found


async def file_in(image: JSON) -> str:
    return (await files_of(image["reference"]))["file"]


async def test_pinned_is_what_it_was_after_all_of_it_moved_and_went(
    client: Client, git_server: GitServer, repository: BareRepository, moving_base: Base
) -> None:
    repository.commit("main", tree("first", moving_base.reference))
    first_sha = repository.sha("refs/heads/main")
    url = git_server.url(repository.path.name)
    created = await client.create("Git", name=new_name(), url=url, ref="main")
    image, first = created["image"], await client.finished(created)
    assert first["bases"] == [{"reference": moving_base.reference, "digest": moving_base.digest}]

    second_sha = repository.commit("main", tree("second", moving_base.reference))
    moved = await moving_base.move(client)
    assert moved != moving_base.digest

    pinned = await again(client, image)
    assert pinned["status"] == "SUCCEEDED", await client.log(pinned["id"])
    assert pinned["rebuildOf"]["number"] == 1
    assert pinned["commit"]["sha"] == first_sha
    assert pinned["bases"] == first["bases"]
    assert pinned["contextDigest"] == first["contextDigest"]
    assert pinned["differences"] == []
    assert await file_in(image) == "first\n"
    log = await client.log(pinned["id"])
    assert "This repeats build 1, exactly" in log
    assert "Every input is that of build 1." in log

    today = await again(client, image, build=first["id"], pinned=False)
    assert today["status"] == "SUCCEEDED", await client.log(today["id"])
    assert today["commit"]["sha"] == second_sha
    assert await file_in(image) == "second\n"
    differences = {one["input"]: one for one in today["differences"]}
    assert set(differences) == {"COMMIT", "CONTEXT", "BASE"}
    assert (differences["COMMIT"]["before"], differences["COMMIT"]["after"]) == (
        first_sha,
        second_sha,
    )
    assert differences["BASE"] == {
        "input": "BASE",
        "name": moving_base.reference,
        "before": moving_base.digest,
        "after": moved,
    }
    assert f"Unlike build 1: commit was {first_sha}, is {second_sha}." in await client.log(
        today["id"]
    )

    shutil.rmtree(repository.path)
    gone = await again(client, image, build=first["id"])
    assert gone["status"] == "SUCCEEDED", await client.log(gone["id"])
    assert await file_in(image) == "first\n"
    failed = await again(client, image, pinned=False)
    assert failed["failure"]["code"] == "GIT_NOT_FOUND"


async def test_a_base_that_the_registry_has_lost_is_a_clear_failure(
    client: Client, moving_base: Base
) -> None:
    text = f"FROM {moving_base.reference}\nLABEL unique={uuid4().hex}\n"
    created = await client.create("Dockerfile", name=new_name(), dockerfile=text)
    await client.finished(created)
    await moving_base.vanish()
    failed = await again(client, created["image"])
    assert failed["status"] == "FAILED"
    failure = failed["failure"]
    assert (failure["code"], failure["blame"]) == ("BASE_NOT_FOUND", "USER")
    assert moving_base.digest in failure["message"]
    assert "pinned: false" in failure["message"]


async def test_a_build_that_failed_is_made_again_from_what_it_had(
    client: Client, git_server: GitServer, repository: BareRepository
) -> None:
    repository.commit("main", {"Dockerfile": "FROM scratch\nCOPY missing /\n", "file": "a\n"})
    url = git_server.url(repository.path.name)
    created = await client.create("Git", name=new_name(), url=url, ref="main")
    image, first = created["image"], await client.finished(created)
    assert first["failure"]["code"] == "CONTEXT_INVALID"
    repository.commit("main", tree("mended"))
    pinned = await again(client, image)
    assert pinned["failure"]["code"] == "CONTEXT_INVALID"
    mended = await again(client, image, pinned=False)
    assert mended["status"] == "SUCCEEDED"
    assert {one["input"] for one in mended["differences"]} == {"COMMIT", "CONTEXT", "DOCKERFILE"}
    assert (await client.image(image["id"]))["status"] == "READY"


async def test_what_cannot_be_made_again_is_said_at_once(client: Client) -> None:
    one = await client.create("Dockerfile", name=new_name(), dockerfile="FROM scratch\nLABEL a=1\n")
    other = await client.create(
        "Dockerfile", name=new_name(), dockerfile="FROM scratch\nLABEL a=2\n"
    )
    await client.finished(one)
    await client.finished(other)
    given = {"build": other["build"]["id"]}
    answer = await client.ask(REBUILD, id=one["image"]["id"], input=given)
    assert answer["__typename"] == "ValidationError"
    assert [problem["field"] for problem in answer["fields"]] == ["build"]


@pytest.fixture(scope="module")
def modern_engine(docker_engine: str) -> str:
    """An engine with the containerd image store: the one that is named, or ours if it has it."""
    url = os.environ.get(MODERN, docker_engine)
    if asyncio.run(_image_store(url)) != "containerd":
        pytest.skip(f"no engine with the containerd image store: name one in {MODERN}")
    return url


async def _image_store(url: str) -> str:
    async with DockerEngine(url) as engine:
        return (await engine.info()).image_store


@pytest.fixture(scope="module")
def modern(
    modern_engine: str, registry: RegistryServer, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[Server]:
    settings = {
        "ENGINE_URL": modern_engine,
        "REGISTRY": registry.host,
        "GIT_ALLOW_LOOPBACK": "true",
    }
    with serving(tmp_path_factory.mktemp("modern"), settings) as server:
        yield server


@pytest.fixture
async def modern_client(modern: Server) -> AsyncIterator[Client]:
    async with client_of(modern.url) as client:
        yield client


async def test_the_same_digest_from_the_same_record(
    modern_client: Client, modern_engine: str, base: str, git_server: GitServer,
    repository: BareRepository,
) -> None:  # fmt: skip
    async with DockerEngine(modern_engine) as engine:
        await have_base(engine)
        text = f"FROM {base}\nCOPY file /\nRUN --network=none echo {uuid4().hex} > /made\n"
        repository.commit("main", {"Dockerfile": text, "file": "a\n"})
        url = git_server.url(repository.path.name)
        created = await modern_client.create("Git", name=new_name(), url=url, ref="main")
        first = await modern_client.finished(created)
        assert first["status"] == "SUCCEEDED", await modern_client.log(first["id"])
        # Without the builder's cache every step is carried out again, at another time.
        async with engine._docker._query("build/prune", "POST", params={"all": "1"}) as answer:
            await answer.read()
        second = await again(modern_client, created["image"])
    assert second["status"] == "SUCCEEDED", await modern_client.log(second["id"])
    ran = [step for step in second["steps"] if " RUN " in step["name"]]
    assert [step["status"] for step in ran] == ["DONE"]
    assert second["digest"] == first["digest"]
    assert second["reproducible"] is True
    assert "SOURCE_DATE_EPOCH=1700000000" in await modern_client.log(second["id"])


async def test_an_engine_that_cannot_says_so(client: Client) -> None:
    text = "FROM scratch\nLABEL a=reproducible\n"
    created = await client.create("Dockerfile", name=new_name(), dockerfile=text)
    await client.finished(created)
    found = await client.ask(REPEATED, id=created["build"]["id"])
    assert found["reproducible"] is False
    assert found["rebuildOf"] is None


REBUILD = """mutation($id: ID!, $input: RebuildImageInput!) { rebuildImage(id: $id, input: $input) {
    __typename
    ... on ValidationError { fields { field message } }
    ... on CreateImagePayload { build { id } } } }"""
REPEATED = """query($id: ID!) { build(id: $id) {
    id number status digest contextDigest reproducible commit { sha } bases { reference digest }
    failure { code message blame } rebuildOf { number } steps { name status }
    differences { input name before after } } }"""
