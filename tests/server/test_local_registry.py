import stat
from pathlib import Path

from engine.registry import Registry
from server.local.process import free_port
from server.local.registry import local_registry
from tests.fixtures.images import push_image, tiny_image


async def test_what_it_holds_outlives_it(tmp_path: Path) -> None:
    data = tmp_path / "it's a folder: # 1"
    port = free_port()
    with local_registry(data, port) as server:
        assert server.host == f"127.0.0.1:{port}"
        async with Registry(server.host) as client:
            digest = await push_image(client, "demo/kept", "1", tiny_image())
    with local_registry(data) as server:
        async with Registry(server.host) as client:
            assert (await client.resolve("demo/kept", "1")).digest == digest


async def test_its_secret_is_its_own(tmp_path: Path) -> None:
    with local_registry(tmp_path):
        assert stat.S_IMODE((tmp_path / "registry.yml").stat().st_mode) == 0o600
