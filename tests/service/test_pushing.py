"""A tag that the registry holds already is somebody's, and stays so unless it is said otherwise."""

from uuid import uuid4

from tests.fixtures.images import push_image, tiny_image
from tests.fixtures.registry import RegistryServer
from tests.fixtures.service import Client
from tests.service.test_dockerfile import inspect


async def foreign(registry: RegistryServer, repository: str) -> str:
    """Push an image past Darkroom; its digest."""
    async with registry.client() as found:
        return await push_image(found, repository, "1", tiny_image(labels={"made": "elsewhere"}))


async def test_a_tag_that_darkroom_does_not_know_is_not_overwritten(
    client: Client, base: str, registry: RegistryServer
) -> None:
    repository = f"pushing/{uuid4().hex[:12]}"
    digest = await foreign(registry, repository)
    given = {"name": f"/{repository}:1", "dockerfile": f"FROM {base}\nLABEL made=here\n"}
    refused = await client.create("Dockerfile", **given)
    assert refused["__typename"] == "ValidationError"
    assert [field["field"] for field in refused["fields"]] == ["overwrite"]
    assert digest in refused["message"]
    assert inspect(f"{registry.host}/{repository}:1")["Digest"] == digest

    build = await client.finished(await client.create("Dockerfile", **given, overwrite=True))
    assert build["status"] == "SUCCEEDED", await client.log(build["id"])
    assert inspect(f"{registry.host}/{repository}:1")["Digest"] == build["digest"]


async def test_a_tag_that_appears_while_it_is_built_is_not_overwritten(
    client: Client, base: str, registry: RegistryServer
) -> None:
    repository = f"pushing/{uuid4().hex[:12]}"
    dockerfile = f"FROM {base}\nRUN sleep 2 && echo {repository}\n"
    created = await client.create("Dockerfile", name=f"/{repository}:1", dockerfile=dockerfile)
    await client.reached(created["build"]["id"], "BUILDING")
    digest = await foreign(registry, repository)
    build = await client.finished(created)
    assert build["status"] == "FAILED"
    assert build["failure"]["code"] == "PUSH_DENIED"
    assert digest in build["failure"]["message"]
    assert inspect(f"{registry.host}/{repository}:1")["Digest"] == digest


async def test_what_darkroom_pushed_it_may_push_again(client: Client, base: str) -> None:
    name = f"/pushing/{uuid4().hex[:12]}:1"
    created = await client.create("Dockerfile", name=name, dockerfile=f"FROM {base}\n")
    assert (await client.finished(created))["status"] == "SUCCEEDED"
    rebuild = """mutation($id: ID!) { rebuildImage(id: $id, input: {pinned: false}) { __typename
      ... on CreateImagePayload { build { id } } } }"""
    again = await client.ask(rebuild, id=created["image"]["id"])
    assert (await client.finished(again))["status"] == "SUCCEEDED"
