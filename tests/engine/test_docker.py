"""A Docker Engine as a client sees it: what it is, its images, pull and push."""

from uuid import uuid4

import pytest

from engine.docker.build import build
from engine.docker.client import DockerEngine
from engine.docker.progress import Throttle, Transfer, amount
from engine.errors import BuildFailed
from engine.registry import Credentials
from models.enums import Blame, FailureCode
from server.local.process import free_port
from tests.fixtures.docker import BASE, PushBusybox, context
from tests.fixtures.registry import RegistryServer

NOBODY = Credentials("nobody", "wrong")


async def test_an_engine_tells_what_it_is(docker: DockerEngine) -> None:
    info = await docker.info()

    assert (info.name, info.builder) == ("Docker Engine", "buildkit")
    assert info.platform.startswith("linux/")
    assert info.image_store in {"docker", "containerd"}
    assert info.version.split(".")[0].isdigit()


async def test_podman_is_known_for_what_it_is(podman: DockerEngine) -> None:
    info = await podman.info()

    assert (info.name, info.builder) == ("Podman Engine", "classic")


@pytest.mark.parametrize("address", ["unix://{tmp}/none.sock", "tcp://127.0.0.1:{port}"])
async def test_no_engine_is_unreachable(address: str, tmp_path: object) -> None:
    url = address.format(tmp=tmp_path, port=free_port())
    async with DockerEngine(url) as engine:
        for ask in (engine.ping, engine.info):
            with pytest.raises(BuildFailed, match=url) as failure:
                await ask()
            assert failure.value.code is FailureCode.ENGINE_UNREACHABLE
            assert failure.value.blame is Blame.SYSTEM


async def test_an_engine_has_to_be_entered(docker_engine: str) -> None:
    with pytest.raises(RuntimeError, match="async with"):
        await DockerEngine(docker_engine).info()


async def test_images_are_named_found_and_removed(docker: DockerEngine) -> None:
    await docker.ping()
    name = f"darkroom.test/{uuid4().hex}"
    base = await docker.image(BASE)
    assert base is not None

    await docker.tag(base.id, name, "1")
    named = await docker.image(f"{name}:1")
    await docker.remove_image(f"{name}:1")
    await docker.remove_image(f"{name}:1")

    assert named is not None
    assert (named.id, named.size) == (base.id, base.size)
    assert f"{name}:1" in named.references
    assert await docker.image(f"{name}:1") is None
    assert await docker.image(base.id) is not None


async def test_what_is_not_there_cannot_be_named(docker: DockerEngine) -> None:
    with pytest.raises(BuildFailed, match="No such image") as failure:
        await docker.tag("darkroom.test/none:1", "darkroom.test/other", "1")

    assert failure.value.code is FailureCode.INTERNAL


async def test_leftovers_are_found_by_label(docker: DockerEngine) -> None:
    mark = uuid4().hex
    files = {"Dockerfile": f"FROM {BASE}"}
    async for _ in build(docker, context(files), labels={"darkroom.test": mark}):
        pass

    (found,) = await docker.leftovers(f"darkroom.test={mark}")
    await docker.remove_image(found.id, force=True)

    assert found.labels["darkroom.test"] == mark
    assert await docker.leftovers(f"darkroom.test={mark}") == []


async def test_what_is_pushed_can_be_pulled(
    docker: DockerEngine, any_registry: RegistryServer, busybox: PushBusybox, new_repository: str
) -> None:
    said = []

    async def on_progress(line: str) -> None:
        said.append(line)

    pushed = await busybox(any_registry.host, any_registry.credentials, new_repository)
    async with any_registry.client() as client:
        resolved = await client.resolve(new_repository, "1")
    exact = f"{any_registry.host}/{new_repository}@{pushed.digest}"
    await docker.remove_image(exact)
    await docker.pull(exact, any_registry.credentials, on_progress)

    assert resolved.digest == pushed.digest
    assert await docker.image(exact) is not None
    assert f"Digest: {pushed.digest}" in said


async def test_podman_pushes_and_pulls(
    podman: DockerEngine, basic_registry: RegistryServer, new_repository: str
) -> None:
    name = f"{basic_registry.host}/{new_repository}"
    await podman.tag(BASE, name, "1")
    digest = await podman.push(name, "1", basic_registry.credentials)
    await podman.remove_image(f"{name}:1")

    with pytest.raises(BuildFailed) as failure:
        await podman.pull(f"{name}:1", NOBODY)
    await podman.pull(f"{name}@{digest}", basic_registry.credentials)

    async with basic_registry.client() as client:
        assert (await client.resolve(new_repository, "1")).digest == digest
    assert failure.value.code is FailureCode.BASE_DENIED
    assert await podman.image(f"{name}@{digest}") is not None


@pytest.mark.parametrize("credentials", [None, NOBODY])
async def test_a_pull_without_the_right_is_denied(
    docker: DockerEngine,
    basic_registry: RegistryServer,
    new_repository: str,
    credentials: Credentials | None,
) -> None:
    with pytest.raises(BuildFailed, match=new_repository) as failure:
        await docker.pull(f"{basic_registry.host}/{new_repository}:1", credentials)

    assert failure.value.code is FailureCode.BASE_DENIED


async def test_a_pull_of_nothing_says_so(
    docker: DockerEngine, registry: RegistryServer, new_repository: str
) -> None:
    with pytest.raises(BuildFailed, match="does not exist") as failure:
        await docker.pull(f"{registry.host}/{new_repository}:1")

    assert failure.value.code is FailureCode.BASE_NOT_FOUND


async def test_no_registry_is_unreachable(docker: DockerEngine) -> None:
    repository = f"127.0.0.1:{free_port()}/demo/none"
    await docker.tag(BASE, repository, "1")

    with pytest.raises(BuildFailed) as pull:
        await docker.pull(f"{repository}:2")
    with pytest.raises(BuildFailed) as push:
        await docker.push(repository, "1")
    await docker.remove_image(f"{repository}:1")

    assert pull.value.code is push.value.code is FailureCode.REGISTRY_UNREACHABLE


async def test_who_may_only_pull_cannot_push(
    docker: DockerEngine, bearer_registry: RegistryServer, new_repository: str
) -> None:
    repository = f"{bearer_registry.host}/{new_repository}"
    await docker.tag(BASE, repository, "1")

    with pytest.raises(BuildFailed, match=f"{repository}:1") as failure:
        await docker.push(repository, "1", bearer_registry.guest)
    await docker.remove_image(f"{repository}:1")

    assert failure.value.code is FailureCode.PUSH_DENIED
    assert failure.value.blame is Blame.USER


def test_transfers_are_summed_and_not_told_too_often() -> None:
    time = 0.0
    transfer = Transfer(Throttle(2.0, clock=lambda: time))

    def downloading(layer: str, current: int) -> str | None:
        detail = {"current": current, "total": 2_000_000}
        return transfer.line({"status": "Downloading", "id": layer, "progressDetail": detail})

    assert transfer.line({"status": "Pulling from demo/a", "id": "1"}) == "Pulling from demo/a"
    assert downloading("a", 500_000) is None
    time = 2.5
    assert downloading("b", 1_000_000) == "Downloading: 1.5 MB of 4.0 MB in 2 layers"
    assert downloading("a", 2_000_000) is None
    assert transfer.line({"status": "Digest: sha256:0"}) == "Digest: sha256:0"


@pytest.mark.parametrize(
    ("size", "text"), [(0, "0 B"), (999, "999 B"), (1000, "1.0 kB"), (45_600_000, "45.6 MB")]
)
def test_amounts_are_readable(size: int, text: str) -> None:
    assert amount(size) == text
