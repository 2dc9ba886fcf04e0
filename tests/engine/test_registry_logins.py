"""Who may do what, at registries that ask for a login."""

import pytest

from engine.registry import Credentials, Registry, RegistryDenied, RegistryNotFound
from engine.registry.digest import digest_of
from tests.fixtures.images import push_blob, push_image, tiny_image
from tests.fixtures.registry import PUBLIC, RegistryServer


@pytest.fixture(params=["basic_registry", "bearer_registry"])
def private(request: pytest.FixtureRequest) -> RegistryServer:
    server: RegistryServer = request.getfixturevalue(request.param)
    return server


async def test_without_a_login(private: RegistryServer) -> None:
    async with Registry(private.host) as anybody:
        with pytest.raises(RegistryDenied, match=f"{private.host} asks for a login to pull demo/x"):
            await anybody.resolve("demo/x", "1")
        with pytest.raises(RegistryDenied, match="asks for a login to push to demo/x"):
            await anybody.can_push("demo/x")
        with pytest.raises(RegistryDenied, match="asks for a login to list the repositories"):
            await anybody.repositories()


async def test_with_a_wrong_password(private: RegistryServer) -> None:
    async with Registry(private.host, Credentials("owner", "wr0ng-secret")) as stranger:
        for attempt in (stranger.ping(), stranger.can_push("demo/x")):
            with pytest.raises(RegistryDenied, match="`owner`") as denied:
                await attempt
            assert "wr0ng-secret" not in denied.value.message


async def test_a_guest_reads_and_does_not_write(bearer_registry: RegistryServer) -> None:
    made = tiny_image()
    async with bearer_registry.client() as owner:
        digest = await push_image(owner, "demo/guarded", "1", made)
    async with Registry(bearer_registry.host, bearer_registry.guest) as guest:
        await guest.ping()
        assert (await guest.image("demo/guarded", "1")).digest == digest
        with pytest.raises(RegistryDenied, match="does not let `guest` push to demo/guarded"):
            await guest.can_push("demo/guarded")
        with pytest.raises(RegistryDenied, match="push to demo/guarded"):
            await push_blob(guest, "demo/guarded", b"mine")
        with pytest.raises(RegistryDenied, match="push to demo/guarded:1"):
            await guest.put_manifest("demo/guarded", "1", made.media_type, made.manifest)
        with pytest.raises(RegistryDenied, match="does not let `guest` delete from demo/guarded"):
            await guest.delete_manifest("demo/guarded", digest)
        assert not await guest.mount_blob("demo/other", digest_of(made.layer), "demo/guarded")
        with pytest.raises(RegistryDenied, match="does not let `guest` list the repositories"):
            await guest.repositories()


async def test_anybody_reads_what_is_public(bearer_registry: RegistryServer) -> None:
    async with bearer_registry.client() as owner:
        digest = await push_image(owner, f"{PUBLIC}base", "1", tiny_image())
    async with Registry(bearer_registry.host) as anybody:
        assert (await anybody.resolve(f"{PUBLIC}base", "1")).digest == digest
        with pytest.raises(RegistryNotFound):
            await anybody.resolve(f"{PUBLIC}base", "2")
        with pytest.raises(RegistryDenied):
            await anybody.can_push(f"{PUBLIC}base")
