"""Blobs and pushes, against real registries of each kind."""

from collections.abc import AsyncIterator

import pytest

from engine.registry import Registry, RegistryNotFound, RegistryProtocolError
from engine.registry.digest import digest_of
from tests.fixtures.images import push_blob, stream


async def test_a_big_blob_goes_and_comes_in_pieces(
    registry_client: Registry, new_repository: str
) -> None:
    body = bytes(range(256)) * 4 * 5000
    blob = await push_blob(registry_client, new_repository, body)
    assert await registry_client.has_blob(new_repository, blob.digest)
    pieces = [piece async for piece in registry_client.blob(new_repository, blob.digest)]
    assert len(pieces) > 1
    assert b"".join(pieces) == body


async def test_an_empty_blob_is_a_blob(registry_client: Registry, new_repository: str) -> None:
    blob = await push_blob(registry_client, new_repository, b"")
    assert [piece async for piece in registry_client.blob(new_repository, blob.digest)] == []


async def test_a_wrong_digest_is_not_stored(registry_client: Registry, new_repository: str) -> None:
    digest = digest_of(b"other")
    with pytest.raises(RegistryProtocolError, match="DIGEST_INVALID"):
        await registry_client.upload_blob(new_repository, digest, stream(b"bytes"), 5)
    assert not await registry_client.has_blob(new_repository, digest)


@pytest.mark.parametrize("size", [4, 6])
async def test_a_wrong_size_is_not_stored(
    registry_client: Registry, new_repository: str, size: int
) -> None:
    with pytest.raises(ValueError, match=f"the {size} bytes that were announced"):
        await registry_client.upload_blob(
            new_repository, digest_of(b"bytes"), stream(b"bytes"), size
        )
    assert not await registry_client.has_blob(new_repository, digest_of(b"bytes"))


async def test_what_the_source_of_a_blob_raises_arrives(
    registry_client: Registry, new_repository: str
) -> None:
    async def failing() -> AsyncIterator[bytes]:
        yield b"some"
        raise LookupError("the disk is gone")

    with pytest.raises(LookupError, match="the disk is gone"):
        await registry_client.upload_blob(new_repository, digest_of(b"some bytes"), failing(), 10)
    await registry_client.ping()


async def test_a_blob_is_mounted_from_where_it_is(
    registry_client: Registry, new_repository: str
) -> None:
    blob = await push_blob(registry_client, new_repository, b"shared")
    other = f"{new_repository}-copy"
    assert await registry_client.mount_blob(other, blob.digest, new_repository)
    assert await registry_client.has_blob(other, blob.digest)
    assert not await registry_client.mount_blob(other, digest_of(b"nowhere"), new_repository)


async def test_a_push_is_tried_without_a_trace(
    registry_client: Registry, new_repository: str
) -> None:
    await registry_client.can_push(new_repository)
    with pytest.raises(RegistryNotFound):
        await registry_client.tags(new_repository)
