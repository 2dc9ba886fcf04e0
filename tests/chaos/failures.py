"""What can go wrong, each by name; the first line of its description is what a run prints."""

import asyncio
import contextlib
import os
import random
import signal
from collections.abc import Awaitable, Callable, Iterator

import asyncpg  # type: ignore[import-untyped]  # it ships no types

from tests.chaos.around import LEASE
from tests.chaos.machines import WorkerMachine, until_it_starts
from tests.chaos.world import World
from tests.servers.network import Mode, Network
from tests.servers.program import Program

Failure = Callable[[World, random.Random], Awaitable[None]]
BUSY_SECONDS = 5
thread = asyncio.to_thread  # starting and stopping wait


async def kill_a_worker(world: World, dice: random.Random) -> None:
    """kill -9 of a worker"""
    machine = await _busy(world, dice)
    await thread(machine.kill)
    await thread(machine.start)


async def stop_a_worker(world: World, dice: random.Random) -> None:
    """SIGTERM to a worker"""
    machine = await _busy(world, dice)
    await thread(machine.stop)
    await thread(machine.start)


async def freeze_a_worker(world: World, dice: random.Random) -> None:
    """SIGSTOP of a worker past its lease, then SIGCONT"""
    with _frozen(await _busy(world, dice)):
        await asyncio.sleep(dice.uniform(1.5, 3) * LEASE)


async def freeze_a_worker_briefly(world: World, dice: random.Random) -> None:
    """SIGSTOP of a worker for about its lease"""
    with _frozen(await _busy(world, dice)):
        await asyncio.sleep(dice.uniform(0.6, 1.2) * LEASE)


async def kill_a_server(world: World, dice: random.Random) -> None:
    """kill -9 of a server, with readers attached"""
    machine = dice.choice(world.servers)
    await thread(machine.kill)
    await thread(machine.start)


async def kill_a_server_and_a_worker(world: World, dice: random.Random) -> None:
    """kill -9 of a server and a worker at once"""
    server, worker = dice.choice(world.servers), await _busy(world, dice)
    await asyncio.gather(thread(server.kill), thread(worker.kill))
    await asyncio.gather(thread(server.start), thread(worker.start))


async def kill_all(world: World, dice: random.Random) -> None:
    """kill -9 of every server and every worker at once"""
    machines = world.machines
    await asyncio.gather(*(thread(machine.kill) for machine in machines))
    await asyncio.gather(*(thread(machine.start) for machine in machines))


async def restart_one_by_one(world: World, dice: random.Random) -> None:
    """a rolling restart of all servers and workers"""
    for machine in world.machines:
        await thread(machine.restart)


async def restart_an_engine(world: World, dice: random.Random) -> None:
    """an engine restarts"""
    engine = (await _busy(world, dice)).engine
    await thread(engine.stop)
    await thread(engine.start)


async def kill_an_engine(world: World, dice: random.Random) -> None:
    """kill -9 of an engine"""
    engine = (await _busy(world, dice)).engine
    await thread(engine.kill)
    await thread(engine.start)


async def restart_the_registry(world: World, dice: random.Random) -> None:
    """kill -9 of the registry, away for a moment"""
    await _killed_for(world.registry, dice.uniform(0.5, 3))


async def lose_the_registry_for_a_minute(world: World, dice: random.Random) -> None:
    """the registry is away for a minute"""
    await _killed_for(world.registry, 60)


async def freeze_the_registry(world: World, dice: random.Random) -> None:
    """the registry hangs"""
    with world.registry.frozen():
        await asyncio.sleep(dice.uniform(1, 6))


async def fill_the_registry(world: World, dice: random.Random) -> None:
    """the registry's disk is full"""
    with world.registry_disk.full():
        await asyncio.sleep(dice.uniform(2, 10))


async def trouble_to_the_registry(world: World, dice: random.Random) -> None:
    """a bad network to the registry"""
    await _trouble(world.networks["registry"], dice)


async def restart_the_database(world: World, dice: random.Random) -> None:
    """the database restarts"""
    await thread(world.postgres.program.restart)


async def kill_the_database(world: World, dice: random.Random) -> None:
    """kill -9 of the database, away for a moment"""
    await _killed_for(world.postgres.program, dice.uniform(0, LEASE))


async def fill_the_database(world: World, dice: random.Random) -> None:
    """the database's disk is full"""
    with world.database_disk.full():
        await asyncio.sleep(dice.uniform(2, 10))
    process = world.postgres.program.process
    assert process
    if process.poll() is not None:  # it gave up, as PostgreSQL does without room for its own log
        await thread(until_it_starts, world.postgres.program.start)


async def trouble_to_the_servers_database(world: World, dice: random.Random) -> None:
    """a bad network between servers and database"""
    await _trouble(world.networks["servers' database"], dice)


async def trouble_to_the_workers_database(world: World, dice: random.Random) -> None:
    """a bad network between workers and database"""
    await _trouble(world.networks["workers' database"], dice)


async def flush_the_broker(world: World, dice: random.Random) -> None:
    """the broker forgets everything"""
    await thread(world.broker.forget)


async def lose_the_broker(world: World, dice: random.Random) -> None:
    """the broker is away for a while"""
    await _killed_for(world.broker.program, dice.uniform(2, 15))


async def trouble_to_the_broker(world: World, dice: random.Random) -> None:
    """a bad network to the broker"""
    await _trouble(world.broker.network, dice)


async def break_the_blobs(world: World, dice: random.Random) -> None:
    """the blob store answers 500"""
    with world.networks["blobs"].during("fail"):
        await asyncio.sleep(dice.uniform(1, 8))


async def trouble_to_the_blobs(world: World, dice: random.Random) -> None:
    """a bad network to the blob store"""
    await _trouble(world.networks["blobs"], dice)


async def fill_a_worker(world: World, dice: random.Random) -> None:
    """a worker's disk is full"""
    with (await _busy(world, dice)).disk.full():
        await asyncio.sleep(dice.uniform(2, 10))


FAILURES: dict[str, list[Failure]] = {
    "Darkroom": [
        kill_a_worker,
        stop_a_worker,
        freeze_a_worker,
        freeze_a_worker_briefly,
        kill_a_server,
        kill_a_server_and_a_worker,
        kill_all,
        restart_one_by_one,
    ],
    "engines": [restart_an_engine, kill_an_engine],
    "registry": [
        restart_the_registry,
        lose_the_registry_for_a_minute,
        freeze_the_registry,
        fill_the_registry,
        trouble_to_the_registry,
    ],
    "database": [
        restart_the_database,
        kill_the_database,
        fill_the_database,
        trouble_to_the_servers_database,
        trouble_to_the_workers_database,
    ],
    "broker": [flush_the_broker, lose_the_broker, trouble_to_the_broker],
    "blobs": [break_the_blobs, trouble_to_the_blobs],
    "disks": [fill_a_worker],
}
"""By what they break: two of one kind at once would get in each other's way."""


async def _busy(world: World, dice: random.Random) -> WorkerMachine:
    """A worker that has a build; any, if none comes to have one."""
    query = "SELECT worker FROM build WHERE status IN ('PREPARING', 'BUILDING', 'PUSHING')"
    with contextlib.suppress(TimeoutError, OSError, asyncpg.PostgresError):  # it may be broken, too
        async with asyncio.timeout(BUSY_SECONDS), world.rows() as rows:
            while True:
                names = {row["worker"] for row in await rows.fetch(query)}
                if busy := [one for one in world.workers if one.running.name in names]:
                    return dice.choice(busy)
                await asyncio.sleep(0.1)
    return dice.choice(world.workers)


async def _killed_for(program: Program, seconds: float) -> None:
    await thread(program.kill)
    await asyncio.sleep(seconds)
    await thread(program.start)


async def _trouble(network: Network, dice: random.Random) -> None:
    """It delays, drops or cuts for a while."""
    modes: list[Mode] = ["cut", "delay", "swallow"]
    with network.during(dice.choice(modes)):
        await asyncio.sleep(dice.uniform(0.5, 2) * LEASE)


@contextlib.contextmanager
def _frozen(machine: WorkerMachine) -> Iterator[None]:
    os.killpg(machine.process, signal.SIGSTOP)
    try:
        yield
    finally:
        os.killpg(machine.process, signal.SIGCONT)
