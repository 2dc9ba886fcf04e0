"""Images that the registry has already: registered, and watched."""

from pathlib import Path
from typing import Any
from uuid import uuid4

import pytest

from server.local.process import free_port
from tests.fixtures.images import push_image, push_index, tiny_image
from tests.fixtures.registry import RegistryServer
from tests.fixtures.service import Client, client_of, serving

DETAILS = """query($id: ID!) { image(id: $id) {
  digest size platform status registryState registryDigest source { __typename
    ... on ExistingSource { reference } }
  details { createdAt entrypoint cmd env platforms labels { name value }
    history { createdBy empty } } latestBuild { id } builds { totalCount } } }"""
CHECK = """mutation($id: ID!) { checkImage(id: $id) { __typename ... on Error { message }
  ... on CheckImagePayload { image { registryState registryDigest digest } } } }"""


@pytest.fixture
def repository() -> str:
    return f"existing/{uuid4().hex[:12]}"


async def register(client: Client, repository: str, tag: str = "1") -> dict[str, Any]:
    return await client.create("Existing", name=f"/{repository}:{tag}")


@pytest.mark.parametrize("docker", [False, True], ids=["oci", "docker"])
async def test_what_the_registry_says_goes_on_record(
    client: Client, registry: RegistryServer, repository: str, docker: bool
) -> None:
    image = tiny_image(docker=docker, labels={"made": "by hand"})
    async with registry.client() as found:
        digest = await push_image(found, repository, "1", image)
    created = await register(client, repository)
    assert created["build"] is None
    record = await client.ask(DETAILS, id=created["image"]["id"])
    assert record["digest"] == digest
    assert record["size"] == len(image.layer)
    assert (record["status"], record["platform"]) == ("READY", "linux/amd64")
    assert record["source"]["reference"] == f"{registry.host}/{repository}:1"
    assert record["details"] == {
        "createdAt": "2026-01-02T03:04:05.678901Z",
        "entrypoint": ["/bin/sh"],
        "cmd": None,
        "env": ["PATH=/bin"],
        "platforms": ["linux/amd64"],
        "labels": [{"name": "made", "value": "by hand"}],
        "history": [
            {"createdBy": "COPY . /", "empty": False},
            {"createdBy": 'ENTRYPOINT ["/bin/sh"]', "empty": True},
        ],
    }
    assert record["latestBuild"] is None
    assert record["builds"]["totalCount"] == 0


async def test_an_index_keeps_its_own_digest_and_names_its_platforms(
    client: Client, registry: RegistryServer, repository: str
) -> None:
    images = {name: tiny_image(architecture=name) for name in ("amd64", "arm64")}
    async with registry.client() as found:
        digest = await push_index(found, repository, "1", images)
    created = await register(client, repository)
    record = await client.ask(DETAILS, id=created["image"]["id"])
    assert record["digest"] == digest
    assert record["details"]["platforms"] == ["linux/amd64", "linux/arm64"]


async def test_a_tag_that_moves_or_goes_is_marked_and_the_record_stays(
    client: Client, registry: RegistryServer, repository: str
) -> None:
    async with registry.client() as found:
        first = await push_image(found, repository, "1", tiny_image())
        created = await register(client, repository)
        id_ = created["image"]["id"]
        assert (await client.ask(CHECK, id=id_))["image"]["registryState"] == "PRESENT"

        second = await push_image(found, repository, "1", tiny_image({"other": b"content"}))
        moved = {"registryState": "MOVED", "registryDigest": second, "digest": first}
        assert (await client.ask(CHECK, id=id_))["image"] == moved

        await found.delete_manifest(repository, second)
        gone = {"registryState": "GONE", "registryDigest": None, "digest": first}
        assert (await client.ask(CHECK, id=id_))["image"] == gone


async def test_the_background_check_notices_by_itself(
    registry: RegistryServer, repository: str, tmp_path: Path
) -> None:
    settings = {
        "REGISTRY": registry.host,
        "REGISTRY_CHECK_SECONDS": "0.1",
        "LEASE_SECONDS": "0.6",
        "ENGINE_URL": "unix:///nowhere",
    }
    with serving(tmp_path / "data", settings) as server:
        async with client_of(server.url) as client, registry.client() as found:
            await push_image(found, repository, "1", tiny_image())
            created = await register(client, repository)
            changes = client.subscribe("subscription { imageChanged { image { registryState } } }")
            waiting = anext(changes)
            await push_image(found, repository, "1", tiny_image({"other": b"content"}))
            change = await waiting
            while change["image"]["registryState"] != "MOVED":
                change = await anext(changes)
            await changes.aclose()
            record = await client.ask(DETAILS, id=created["image"]["id"])
    assert record["registryState"] == "MOVED"


async def test_missing_is_not_found(client: Client, repository: str) -> None:
    created = await register(client, repository)
    assert created["__typename"] == "NotFoundError"
    assert repository in created["message"]


async def test_denied_is_forbidden(bearer_registry: RegistryServer, tmp_path: Path) -> None:
    settings = {"REGISTRY": bearer_registry.host, "ENGINE_URL": "unix:///nowhere"}
    with serving(tmp_path / "data", settings) as server:
        async with client_of(server.url) as client:
            created = await register(client, "secret/project")
    assert created["__typename"] == "ForbiddenError"


async def test_unreachable_is_unavailable(tmp_path: Path) -> None:
    settings = {"REGISTRY": f"127.0.0.1:{free_port()}", "ENGINE_URL": "unix:///nowhere"}
    with serving(tmp_path / "data", settings) as server:
        async with client_of(server.url) as client:
            created = await register(client, "any/project")
    assert created["__typename"] == "UnavailableError"


async def test_the_registry_is_listed_page_by_page(
    client: Client, registry: RegistryServer, repository: str
) -> None:
    async with registry.client() as found:
        for tag in ("1", "2", "3"):
            await push_image(found, repository, tag, tiny_image())
    query = "query($s: String) { registryRepositories(search: $s) { names endCursor } }"
    listed = await client.ask(query, s=repository)
    assert listed == {"names": [repository], "endCursor": None}
    query = """query($r: String!, $after: String) {
      registryTags(repository: $r, first: 2, after: $after) { names endCursor } }"""
    page = await client.ask(query, r=repository)
    assert page["names"] == ["1", "2"]
    page = await client.ask(query, r=repository, after=page["endCursor"])
    assert page == {"names": ["3"], "endCursor": None}


async def test_a_registered_image_cannot_be_rebuilt(
    client: Client, registry: RegistryServer, repository: str
) -> None:
    async with registry.client() as found:
        await push_image(found, repository, "1", tiny_image())
    created = await register(client, repository)
    mutation = """mutation($id: ID!) { rebuildImage(id: $id) { __typename
      ... on Error { message } } }"""
    answer = await client.ask(mutation, id=created["image"]["id"])
    assert answer["__typename"] == "ValidationError"
