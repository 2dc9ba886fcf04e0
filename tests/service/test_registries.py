"""Each kind of registry and each kind of engine, from the Dockerfile to the pulled image."""

import json
import subprocess
from collections.abc import AsyncIterator, Iterator
from pathlib import Path
from typing import Any
from uuid import uuid4

import pytest

from engine.registry import Credentials
from tests.fixtures.docker import PushBusybox
from tests.fixtures.images import push_image, tiny_image
from tests.fixtures.registry import OWNER, RegistryServer
from tests.fixtures.service import Client, Server, client_of, serving
from tests.service.logs import followed, lines_of
from tests.service.test_dockerfile import new_name


def inspect(reference: str, login: Credentials | None, *options: str) -> dict[str, Any]:
    """What an independent client reads, with this login."""
    creds = [f"--creds={login.username}:{login.password}"] if login else []
    done = subprocess.run(
        ["skopeo", "inspect", "--tls-verify=false", *creds, *options, f"docker://{reference}"],
        check=True,
        capture_output=True,
    )
    found: dict[str, Any] = json.loads(done.stdout)
    return found


def login_of(login: Credentials | None) -> dict[str, str]:
    """A login as settings."""
    if login is None:
        return {}
    return {"REGISTRY_USERNAME": login.username, "REGISTRY_PASSWORD": login.password}


async def private_base(registry: RegistryServer, text: str) -> str:
    """An image that no engine has had before, where only the owner may read."""
    repository = f"private/{uuid4().hex[:12]}"
    async with registry.client() as client:
        await push_image(client, repository, "1", tiny_image({"etc/motd": text.encode()}))
    return f"{registry.host}/{repository}:1"


async def test_an_image_goes_through_every_kind_of_registry(
    docker_engine: str, any_registry: RegistryServer, busybox: PushBusybox, tmp_path: Path
) -> None:
    login, mark = any_registry.credentials, uuid4().hex
    shell = (await busybox(any_registry.host, login, f"private/{uuid4().hex[:12]}")).reference
    data = await private_base(any_registry, mark)
    dockerfile = (
        f"ARG DATA={data}\nFROM $DATA AS data\nFROM {shell}\n"
        "COPY --from=data /etc/motd /motd\nRUN echo this is $(cat /motd)\n"
    )
    settings = {"ENGINE_URL": docker_engine, "REGISTRY": any_registry.host, **login_of(login)}
    with serving(tmp_path / "data", settings) as server:
        async with client_of(server.url) as client:
            created = await client.create("Dockerfile", name=new_name(), dockerfile=dockerfile)
            build = await client.finished(created)
            assert build["status"] == "SUCCEEDED", await client.log(build["id"])
            lines = lines_of((await followed(client, build["id"]))[0])
            image = await client.image(created["image"]["id"])
            async with client.session.get(f"{server.url}/readyz") as answer:
                assert answer.status == 200
        said = server.log.read_text()

    assert f"this is {mark}" in [line.text for line in lines]
    found = inspect(image["reference"], login)
    manifest = inspect(image["reference"], login, "--raw")
    assert found["Digest"] == image["digest"] == build["digest"]
    assert image["size"] == sum(layer["size"] for layer in manifest["layers"])
    assert image["platform"] == f"{found['Os']}/{found['Architecture']}"
    assert {base["reference"]: base["digest"] for base in build["bases"]} == {
        name: inspect(name, login)["Digest"] for name in (data, shell)
    }
    if login:
        assert login.password not in said


WRONG = Credentials(OWNER.username, "wr0ng-passw0rd")


@pytest.fixture(scope="module", params=["basic_registry", "bearer_registry"])
def locked_out(
    request: pytest.FixtureRequest,
    docker_engine: str,
    tmp_path_factory: pytest.TempPathFactory,
) -> Iterator[Server]:
    """A server whose password is wrong at its registry."""
    registry: RegistryServer = request.getfixturevalue(request.param)
    settings = {
        "ENGINE_URL": docker_engine,
        "REGISTRY": registry.host,
        "RETRY_SECONDS": "0.05",
        **login_of(WRONG),
    }
    with serving(tmp_path_factory.mktemp("locked-out"), settings) as server:
        yield server


@pytest.fixture
async def outsider(locked_out: Server) -> AsyncIterator[Client]:
    async with client_of(locked_out.url) as client:
        yield client


async def test_a_wrong_password_is_named_at_the_base_image(
    outsider: Client, locked_out: Server
) -> None:
    host = locked_out.settings["REGISTRY"]
    created = await outsider.create(
        "Dockerfile", name=new_name(), dockerfile=f"FROM {host}/private/{uuid4().hex}:1\n"
    )
    build = await outsider.finished(created)
    failure = build["failure"]
    assert failure["code"] == "BASE_DENIED", failure
    assert host in failure["message"]
    assert f"`{WRONG.username}`" in failure["message"]
    assert WRONG.password not in json.dumps(build) + await outsider.log(build["id"])


async def test_a_wrong_password_is_named_at_the_push(outsider: Client, locked_out: Server) -> None:
    text = f"FROM scratch\nLABEL once={uuid4().hex}\n"
    created = await outsider.create("Dockerfile", name=new_name(), dockerfile=text)
    build = await outsider.finished(created)
    failure = build["failure"]
    assert failure["code"] == "PUSH_DENIED", failure
    assert locked_out.settings["REGISTRY"] in failure["message"]
    assert build["digest"] is None
    log = await outsider.log(build["id"])
    assert failure["message"] in log
    assert WRONG.password not in json.dumps(build) + log + locked_out.log.read_text()


async def test_a_login_that_may_not_push_is_told_so(
    docker_engine: str, bearer_registry: RegistryServer, tmp_path: Path
) -> None:
    settings = {
        "ENGINE_URL": docker_engine,
        "REGISTRY": bearer_registry.host,
        **login_of(bearer_registry.guest),
    }
    with serving(tmp_path / "data", settings) as server:
        async with client_of(server.url) as client:
            text = f"FROM scratch\nLABEL once={uuid4().hex}\n"
            created = await client.create("Dockerfile", name=new_name(), dockerfile=text)
            failure = (await client.finished(created))["failure"]
    assert failure["code"] == "PUSH_DENIED", failure
    assert created["image"]["repository"] in failure["message"]


@pytest.fixture(scope="module")
def with_podman(
    podman_engine: str, registry: RegistryServer, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[Server]:
    """A server whose engine is Podman, which has no BuildKit."""
    settings = {"ENGINE_URL": podman_engine, "REGISTRY": registry.host, "RETRY_SECONDS": "0.05"}
    with serving(tmp_path_factory.mktemp("with-podman"), settings) as server:
        yield server


async def test_podman_builds_and_pushes_with_the_classic_builder(
    with_podman: Server, base: str
) -> None:
    mark = uuid4().hex
    dockerfile = (
        f"ARG BASE={base}\nFROM $BASE AS one\nRUN echo made {mark}; echo {mark} > /made\n"
        f"FROM {base}\nCOPY --from=one /made /made\nLABEL made=by-podman\n"
    )
    async with client_of(with_podman.url) as client:
        created = await client.create("Dockerfile", name=new_name(), dockerfile=dockerfile)
        build = await client.finished(created)
        chunks, _ = await followed(client, build["id"])
        lines = lines_of(chunks)
        assert build["status"] == "SUCCEEDED", "\n".join(line.text for line in lines)
        image = await client.image(created["image"]["id"])
    assert f"made {mark}" in [line.text for line in lines]
    assert "classic" in lines[0].text
    found = inspect(image["reference"], None)
    assert found["Digest"] == image["digest"] == build["digest"]
    assert found["Labels"]["made"] == "by-podman"
    manifest = inspect(image["reference"], None, "--raw")
    assert image["size"] == sum(layer["size"] for layer in manifest["layers"])
    assert build["bases"] == [{"reference": base, "digest": inspect(base, None)["Digest"]}]
    assert any("RUN echo made" in step["name"] for step in build["steps"])
    assert {step["status"] for step in build["steps"]} <= {"DONE", "CACHED"}


async def test_podman_tells_a_failed_step(with_podman: Server, base: str) -> None:
    async with client_of(with_podman.url) as client:
        created = await client.create(
            "Dockerfile",
            name=new_name(),
            dockerfile=f"FROM {base}\nRUN echo why {uuid4().hex}; exit 7\nRUN echo never\n",
        )
        build = await client.finished(created)
        log = await client.log(build["id"])
    assert build["failure"]["code"] == "STEP_FAILED"
    assert "7" in build["failure"]["message"]
    assert "why " in log
    (failed,) = [step for step in build["steps"] if step["status"] == "FAILED"]
    assert failed["index"] == build["failure"]["step"]
