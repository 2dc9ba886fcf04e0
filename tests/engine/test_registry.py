"""The client against real registries of each kind: open, Basic, Bearer."""

import asyncio
import json
import subprocess
from datetime import UTC, datetime
from typing import Any

import pytest

from engine.reference import BadReference
from engine.registry import (
    Credentials,
    Descriptor,
    MediaType,
    Platform,
    Registry,
    RegistryNotFound,
    RegistryProtocolError,
    RegistryUnreachable,
)
from engine.registry.digest import digest_of
from server.local.process import free_port
from tests.fixtures.images import (
    describe,
    push_blob,
    push_image,
    push_index,
    tiny_image,
    to_json,
)
from tests.fixtures.registry import RegistryServer


async def skopeo(server: RegistryServer, name: str, *options: str) -> dict[str, Any]:
    login = server.credentials
    overrides = [option for option in options if option.startswith("--override")]
    command = ["skopeo", *overrides, "inspect", "--tls-verify=false"]
    command += [option for option in options if option not in overrides]
    if login:
        command += ["--creds", f"{login.username}:{login.password}"]
    command.append(f"docker://{server.host}/{name}")
    done = await asyncio.to_thread(subprocess.run, command, capture_output=True, check=True)
    answer: dict[str, Any] = json.loads(done.stdout)
    return answer


async def test_the_login_is_taken(registry_client: Registry) -> None:
    await registry_client.ping()


@pytest.mark.parametrize("docker", [False, True], ids=["oci", "docker"])
async def test_an_image_reads_back_as_it_was_pushed(
    registry_client: Registry, new_repository: str, docker: bool
) -> None:
    made = tiny_image(docker=docker, labels={"maker": "tests"})
    digest = await push_image(registry_client, new_repository, "1", made)

    assert await registry_client.resolve(new_repository, "1") == Descriptor(
        made.media_type, digest, len(made.manifest)
    )
    manifest = await registry_client.manifest(new_repository, "1")
    assert manifest.body == made.manifest
    assert manifest.index is None
    info = await registry_client.image(new_repository, digest)
    assert info.digest == digest == digest_of(made.manifest)
    assert info.size == len(made.layer)
    assert str(info.platform) == "linux/amd64"
    assert info.platforms == (info.platform,)
    assert info.created == datetime(2026, 1, 2, 3, 4, 5, 678901, UTC)
    assert (info.entrypoint, info.cmd) == (("/bin/sh",), None)
    assert info.env == ("PATH=/bin",)
    assert info.labels == {"maker": "tests"}
    assert [layer.digest for layer in info.layers] == [digest_of(made.layer)]
    assert [(step.created_by, step.empty) for step in info.history] == [
        ("COPY . /", False),
        ('ENTRYPOINT ["/bin/sh"]', True),
    ]


async def test_an_index_gives_the_image_of_each_platform(
    registry_client: Registry, new_repository: str
) -> None:
    images = {name: tiny_image(architecture=name) for name in ("arm64", "amd64")}
    digest = await push_index(registry_client, new_repository, "multi", images)

    amd64 = await registry_client.manifest(new_repository, "multi")
    assert amd64.descriptor.digest == digest_of(images["amd64"].manifest)
    assert amd64.index == await registry_client.resolve(new_repository, "multi")
    arm64 = await registry_client.image(new_repository, "multi", Platform.parse("linux/arm64/v8"))
    assert arm64.digest == digest
    assert str(arm64.platform) == "linux/arm64"
    assert list(map(str, arm64.platforms)) == ["linux/arm64", "linux/amd64"]
    with pytest.raises(RegistryNotFound, match=r"for linux/s390x; it has: linux/arm64, linux/amd6"):
        await registry_client.image(new_repository, "multi", Platform("linux", "s390x"))


async def test_an_index_is_tagged_again_as_a_whole(
    registry_client: Registry, new_repository: str
) -> None:
    images = {name: tiny_image(architecture=name) for name in ("arm64", "amd64")}
    digest = await push_index(registry_client, new_repository, "old", images)
    stored = await registry_client.document(new_repository, digest)
    await registry_client.put_manifest(new_repository, "new", stored.media_type, stored.body)
    assert await registry_client.resolve(new_repository, "new") == stored.descriptor
    assert stored.descriptor.digest == digest


async def test_skopeo_agrees(
    any_registry: RegistryServer, registry_client: Registry, new_repository: str
) -> None:
    await push_image(registry_client, new_repository, "1", tiny_image(labels={"a": "b"}))
    images = {name: tiny_image(architecture=name) for name in ("amd64", "arm64")}
    await push_index(registry_client, new_repository, "multi", images)

    for tag, architecture in (("1", "amd64"), ("multi", "amd64"), ("multi", "arm64")):
        platform = Platform("linux", architecture)
        ours = await registry_client.image(new_repository, tag, platform)
        ours_alone = (
            await registry_client.manifest(new_repository, tag, platform)
        ).descriptor.digest
        name = f"{new_repository}:{tag}"
        theirs = await skopeo(any_registry, name, f"--override-arch={architecture}")
        alone = await skopeo(any_registry, f"{new_repository}@{ours_alone}", "--raw")
        assert ours.digest == theirs["Digest"]
        assert ours.size == sum(layer["size"] for layer in alone["layers"])
        assert [layer.digest for layer in ours.layers] == theirs["Layers"]
        assert ours.platform.architecture == theirs["Architecture"]
        assert dict(ours.labels) == (theirs["Labels"] or {})
        assert list(ours.env) == theirs["Env"]
        assert sorted(theirs["RepoTags"]) == list(
            (await registry_client.tags(new_repository)).names
        )


async def test_a_manifest_is_deleted_with_its_tags(
    registry_client: Registry, new_repository: str
) -> None:
    digest = await push_image(registry_client, new_repository, "1", tiny_image())
    await registry_client.delete_manifest(new_repository, digest)
    with pytest.raises(RegistryNotFound, match=f"has no {new_repository}:1"):
        await registry_client.resolve(new_repository, "1")
    with pytest.raises(RegistryNotFound):
        await registry_client.delete_manifest(new_repository, digest)


async def test_tags_come_in_pages(registry_client: Registry, new_repository: str) -> None:
    tags = [f"v{number}" for number in range(5)]
    image = tiny_image()
    for tag in reversed(tags):
        await push_image(registry_client, new_repository, tag, image)
    assert (await registry_client.tags(new_repository)).names == tuple(tags)

    first = await registry_client.tags(new_repository, n=2)
    second = await registry_client.tags(new_repository, last=first.last, n=2)
    third = await registry_client.tags(new_repository, last=second.last, n=2)
    assert [first.names, second.names, third.names] == [("v0", "v1"), ("v2", "v3"), ("v4",)]
    assert third.last is None


async def test_repositories_come_in_pages_and_are_searched(
    registry_client: Registry, new_repository: str
) -> None:
    names = [f"{new_repository}/{letter}" for letter in "abc"]
    for name in names:
        await push_image(registry_client, name, "1", tiny_image())

    found: list[str] = []
    last: str | None = None
    while True:
        page = await registry_client.repositories(last=last, n=1)
        assert len(page.names) <= 1
        found += page.names
        last = page.last
        if last is None:
            break
    assert [name for name in found if name in names] == names
    assert len(found) == len(set(found))

    first = await registry_client.repositories(search=new_repository, n=2)
    assert first.names == tuple(names[:2])
    second = await registry_client.repositories(search=new_repository, last=first.last, n=2)
    assert (second.names, second.last) == (tuple(names[2:]), None)


async def test_what_is_missing_is_named(registry_client: Registry, new_repository: str) -> None:
    with pytest.raises(
        RegistryNotFound, match=f"{registry_client.host} has no {new_repository}:gone"
    ):
        await registry_client.resolve(new_repository, "gone")
    with pytest.raises(RegistryNotFound, match="MANIFEST_UNKNOWN"):
        await registry_client.image(new_repository, "gone")
    with pytest.raises(RegistryNotFound, match="NAME_UNKNOWN"):
        await registry_client.tags(new_repository)
    with pytest.raises(RegistryNotFound):
        _ = [piece async for piece in registry_client.blob(new_repository, digest_of(b"gone"))]
    assert not await registry_client.has_blob(new_repository, digest_of(b"gone"))


async def test_an_incomplete_image_is_refused(
    registry_client: Registry, new_repository: str
) -> None:
    image = tiny_image({"never": b"sent"})
    with pytest.raises(RegistryProtocolError, match="MANIFEST_BLOB_UNKNOWN"):
        await registry_client.put_manifest(new_repository, "1", image.media_type, image.manifest)


async def test_what_is_no_image_is_refused(registry_client: Registry, new_repository: str) -> None:
    body = to_json({"chart": "demo"})
    await push_blob(registry_client, new_repository, body)
    chart = {
        "schemaVersion": 2,
        "mediaType": MediaType.OCI_MANIFEST,
        "config": describe(body, "application/vnd.cncf.helm.config.v1+json"),
        "layers": [],
    }
    await registry_client.put_manifest(
        new_repository, "chart", MediaType.OCI_MANIFEST, to_json(chart)
    )
    with pytest.raises(RegistryProtocolError, match=r"no container image but `application/vnd\.cn"):
        await registry_client.image(new_repository, "chart")


@pytest.mark.parametrize("bad", ["../x", "Demo/x", "demo/x?y", ""])
async def test_a_repository_cannot_leave_its_place(registry_client: Registry, bad: str) -> None:
    with pytest.raises(BadReference):
        await registry_client.resolve(bad, "1")
    with pytest.raises(BadReference):
        await registry_client.resolve("demo/x", "../1")


async def test_a_registry_that_is_not_there() -> None:
    host = f"127.0.0.1:{free_port()}"
    async with Registry(host) as nobody:
        with pytest.raises(RegistryUnreachable, match=f"{host} cannot be reached: Conn"):
            await nobody.ping()


async def test_a_registry_that_speaks_plain_http_only(registry: RegistryServer) -> None:
    async with Registry(registry.host, insecure=False) as strict:
        with pytest.raises(RegistryUnreachable, match="if it serves plain http, declare it insec"):
            await strict.ping()


def test_a_password_is_not_shown() -> None:
    assert "s3cret" not in repr(Credentials("robot", "s3cret"))
