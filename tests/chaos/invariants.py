"""What must hold whatever happened, each by name."""

import asyncio
import contextlib
import random
import time
from collections.abc import Awaitable, Callable
from pathlib import Path

from engine.docker.client import DockerEngine
from schema import ids
from server.local.engine import network_name
from tests.chaos.arena import log_is_whole
from tests.chaos.around import LEASE
from tests.chaos.machines import Engine
from tests.chaos.stream import Asked, Broken, insist
from tests.chaos.world import World
from tests.fixtures.docker import BASE

END_SECONDS = 180
"""Until every build has ended: after a minute without a registry, the next try is half one away."""
TIDY_SECONDS = 8 * LEASE
_FINAL = ("SUCCEEDED", "FAILED", "CANCELED")

Invariant = Callable[[World, list[Asked]], Awaitable[None]]


async def every_build_ends(world: World, asked: list[Asked]) -> None:
    """every build ends, as it should"""
    query = "SELECT id, status, worker, attempt FROM build WHERE NOT status = ANY($1::text[])"
    async with world.rows() as rows:

        async def going() -> object:
            return [dict(row) for row in await rows.fetch(query, _FINAL)]

        await _until_nothing(going, "builds have not ended", END_SECONDS)
        for one in asked:
            id_ = ids.decode("Build", one.id)
            status = await rows.fetchval("SELECT status FROM build WHERE id = $1", id_)
            if status is None:
                raise Broken(f"build {id_} is lost")
            if status not in one.ends:
                raise Broken(f"build {id_} ended as {status}:\n{await _log(world, one.id)}")


async def nothing_is_done_twice(world: World, asked: list[Asked]) -> None:
    """none succeeds twice, and what has ended stays so"""
    query = "SELECT build_id, before, after FROM witness WHERE before = ANY($1::text[])"
    async with world.rows() as rows:
        if again := await rows.fetch(query, _FINAL):
            raise Broken(f"builds went on after their end: {again}")


async def logs_are_whole(world: World, asked: list[Asked]) -> None:
    """every log's lines are 1 to n, and every reader saw each of them once"""
    client = world.client(random.Random(0))  # noqa: S311  # not for secrets
    for one in asked:
        build = await client.build(one.id)
        try:
            lines = await log_is_whole(client, build)
        except AssertionError as error:
            raise Broken(f"the log of {one.id} has holes: {error}") from error
        try:
            async with asyncio.timeout(TIDY_SECONDS):
                seen = await one.reader
        except TimeoutError:
            raise Broken(f"a reader of {one.id} never came to its end") from None
        if seen != lines:
            raise Broken(f"a reader of {one.id} saw {seen}, and there is {lines}")


async def logs_are_archived(world: World, asked: list[Asked]) -> None:
    """every log ends in the blob store"""
    async with world.rows() as rows:
        query = "SELECT id FROM build WHERE log_key IS NULL"
        await _until_nothing(lambda: rows.fetch(query), "logs are not archived")


async def steps_have_ended(world: World, asked: list[Asked]) -> None:
    """every step of a good build is done, and images follow their newest build"""
    running = "SELECT build_id, index FROM build_step WHERE status IN ('PENDING', 'RUNNING')"
    undone = """
        SELECT build_id, index, name, build_step.status FROM build_step
        JOIN build ON build.id = build_id
        WHERE build.status = 'SUCCEEDED' AND build_step.status NOT IN ('DONE', 'CACHED')
    """
    behind = """
        SELECT image.id, image.status, build.status FROM image
        JOIN build ON build.image_id = image.id
        WHERE build.number = (SELECT max(number) FROM build WHERE image_id = image.id)
        AND image.status <> CASE build.status WHEN 'SUCCEEDED' THEN 'READY' ELSE build.status END
    """
    async with world.rows() as rows:
        await _until_nothing(lambda: rows.fetch(running), "steps go on after their build")
        if found := await rows.fetch(undone):
            raise Broken(f"steps of good builds are not done: {found}")
        await _until_nothing(lambda: rows.fetch(behind), "images do not follow their build")


async def digests_are_in_the_registry(world: World, asked: list[Asked]) -> None:
    """every digest on record is in the registry, under its tag"""
    query = """
        SELECT build.id, image.name, build.digest, image.digest AS current,
            build.id = image.current_build_id AS newest
        FROM build JOIN image ON image.id = build.image_id
        WHERE build.status = 'SUCCEEDED' AND build.id = ANY($1::bigint[])
    """
    numbers = [ids.decode("Build", one.id) for one in asked]
    async with world.rows() as rows:
        for row in await rows.fetch(query, numbers):
            by_digest = await world.digest(row["name"], row["digest"])
            by_tag = await world.digest(row["name"])
            if by_digest != row["digest"] or by_tag != row["current"]:
                raise Broken(f"the registry has {by_digest} and {by_tag} of {dict(row)}")
            if row["newest"] and row["digest"] != row["current"]:
                raise Broken(f"an image and its current build differ: {dict(row)}")


async def nothing_else_is_in_the_registry(world: World, asked: list[Asked]) -> None:
    """no tag is left of an image of which no build has succeeded"""
    query = "SELECT name FROM image WHERE digest IS NULL"
    async with world.rows() as rows:

        async def left() -> list[str]:
            names = [row["name"] for row in await rows.fetch(query)]
            return [name for name in names if await world.digest(name)]

        await _until_nothing(left, "what was pushed without success is not withdrawn")


async def nothing_is_left_on_engines(world: World, asked: list[Asked]) -> None:
    """no image, container, volume or running step is left on any engine"""
    for engine in world.engines:

        async def left(engine: Engine = engine) -> list[str]:
            return [*await _left_on(engine.url, {BASE, world.base}), *_steps(engine)]

        await _until_nothing(left, f"{engine.folder.parent.name} has remains")


async def nothing_is_left_on_disks(world: World, asked: list[Asked]) -> None:
    """no folder of a build is left on any worker's disk"""

    async def left() -> list[Path]:
        return [path for machine in world.workers for path in machine.data.glob("work/*")]

    await _until_nothing(left, "folders are left")


async def everybody_lives(world: World, asked: list[Asked]) -> None:
    """no server and no worker has ended by itself"""
    programs = [machine.running.program.process for machine in world.workers]
    for process in [*programs, *(machine.running.process for machine in world.servers)]:
        if process is None or process.poll() is not None:
            raise Broken(f"a process ended by itself: {process}")


async def no_secret_is_anywhere(world: World, asked: list[Asked]) -> None:
    """no secret is in any log, row, blob, image, message or command line"""
    leaks, programs = world.leaks, Path(world.postgres.program.command[0]).parent
    leaks.search_logs(world.folder)
    await asyncio.to_thread(world.broker.search, leaks)
    leaks.search_processes()
    await asyncio.to_thread(leaks.search_files, world.registry_disk.path / "storage")
    await asyncio.to_thread(leaks.search_database, programs, world.postgres.port, world.database)
    await leaks.search_blobs(world.blob_url)
    if leaks.found:
        raise Broken("; ".join(dict.fromkeys(leaks.found)))


INVARIANTS: list[Invariant] = [
    everybody_lives,
    every_build_ends,
    nothing_is_done_twice,
    logs_are_whole,
    logs_are_archived,
    steps_have_ended,
    digests_are_in_the_registry,
    nothing_else_is_in_the_registry,
    nothing_is_left_on_engines,
    nothing_is_left_on_disks,
    no_secret_is_anywhere,
]


async def _until_nothing(
    look: Callable[[], Awaitable[object]], what: str, seconds: float = TIDY_SECONDS
) -> None:
    """Tidying up may take a moment."""
    deadline = time.monotonic() + seconds
    while found := await look():
        if time.monotonic() > deadline:
            raise Broken(f"{what}: {found}")
        await asyncio.sleep(0.5)


async def _left_on(url: str, known: set[str]) -> list[str]:
    """What an engine has besides these images; the builder's cache is there to be kept."""
    async with DockerEngine(url) as engine:

        async def ask(path: str) -> list[dict[str, object]]:
            async with engine._docker._query(path) as answer:  # an independent look
                found = await answer.json()
            return list(found["Volumes"] or []) if path == "volumes" else list(found)

        images = [image for image in await ask("images/json") if not set(_names(image)) & known]
        containers = await ask("containers/json?all=1")
        return [str(one) for one in [*images, *containers, *await ask("volumes")]]


def _names(image: dict[str, object]) -> list[str]:
    names = image["RepoTags"]
    return list(map(str, names)) if isinstance(names, list) else []


def _steps(engine: Engine) -> list[str]:
    """What runs in the containers of an engine."""
    found = []
    for process in Path("/proc").glob("[0-9]*"):
        with contextlib.suppress(OSError):  # it ended while we looked
            if f"/{network_name(engine.folder)}" in (process / "cgroup").read_text():
                found.append((process / "cmdline").read_bytes().decode(errors="replace"))
    return found


async def _log(world: World, id_: str) -> str:
    dice = random.Random(0)  # noqa: S311  # not for secrets
    query = "query($id: ID!) { build(id: $id) { attempt failure { code message } } }"
    build = await insist(world, dice, lambda client: client.ask(query, id=id_), ("",))
    return f"{build}\n{await world.client(dice).log(id_)}"
