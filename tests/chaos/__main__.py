"""`python -m tests.chaos --seconds 600 --seed 7`: break everything at random, check after each.

Prints its seed and what it did, so that a run which failed can be told again.
"""

import argparse
import asyncio
import contextlib
import os
import random
import signal
import tempfile
import time
from collections.abc import Awaitable, Callable
from dataclasses import dataclass, field
from pathlib import Path
from uuid import uuid4

from engine.docker.client import DockerEngine
from server.local.engine import local_engine
from tests.chaos.arena import Arena, arena, dockerfile, log_is_whole, new_name
from tests.fixtures.blobs import CREDENTIALS, s3_server
from tests.fixtures.brokers import BrokerServer, redis_server
from tests.fixtures.columns import Worker
from tests.fixtures.database import Postgres, postgres_server
from tests.fixtures.docker import BASE, have_base
from tests.fixtures.service import JSON, Client, client_of
from tests.servers.network import Mode, Network

LEASE = 4.0
IN_FLIGHT = 4
MOST_SECONDS = 120  # until every build has ended, whatever was done to it


@dataclass
class Run:
    """What runs, and the dice."""

    arena: Arena
    postgres: Postgres
    redis: BrokerServer
    blobs: Network
    database: Network
    engine: str
    dice: random.Random
    workers: dict[str, tuple[Worker, contextlib.ExitStack]] = field(default_factory=dict)

    def start_worker(self) -> None:
        stack = contextlib.ExitStack()
        worker = stack.enter_context(self.arena.worker())
        self.workers[worker.name] = (worker, stack)

    def any_worker(self) -> Worker:
        return self.workers[self.dice.choice(sorted(self.workers))][0]

    def replace(self, worker: Worker) -> None:
        self.workers.pop(worker.name)[1].close()
        self.start_worker()


async def kill_worker(run: Run) -> None:
    worker = run.any_worker()
    worker.program.kill()
    await asyncio.to_thread(run.replace, worker)


async def stop_worker(run: Run) -> None:
    worker = run.any_worker()
    await asyncio.to_thread(worker.program.stop)
    await asyncio.to_thread(run.replace, worker)


async def freeze_worker(run: Run) -> None:
    worker = run.any_worker()
    assert worker.program.process
    os.killpg(worker.program.process.pid, signal.SIGSTOP)
    await asyncio.sleep(run.dice.uniform(0.5, 3) * LEASE)
    os.killpg(worker.program.process.pid, signal.SIGCONT)


async def restart_database(run: Run) -> None:
    await asyncio.to_thread(run.postgres.program.restart)


async def forget_messages(run: Run) -> None:
    await asyncio.to_thread(run.redis.program.restart)


async def stop_broker(run: Run) -> None:
    await asyncio.to_thread(run.redis.program.stop)
    await asyncio.sleep(run.dice.uniform(1, 5))
    await asyncio.to_thread(run.redis.program.start)


async def stop_registry(run: Run) -> None:
    await asyncio.to_thread(run.arena.registry.kill)
    await asyncio.sleep(run.dice.uniform(0.5, 2))
    await asyncio.to_thread(run.arena.registry.start)


async def freeze_registry(run: Run) -> None:
    with run.arena.registry.frozen():
        await asyncio.sleep(run.dice.uniform(1, 6))


async def trouble_blobs(run: Run) -> None:
    modes: list[Mode] = ["fail", "cut", "delay", "swallow"]
    with run.blobs.during(run.dice.choice(modes)):
        await asyncio.sleep(run.dice.uniform(0.5, 2))


async def trouble_database(run: Run) -> None:
    modes: list[Mode] = ["cut", "delay", "swallow"]
    with run.database.during(run.dice.choice(modes)):
        await asyncio.sleep(run.dice.uniform(0.5, 2) * LEASE)


ACTIONS: list[Callable[[Run], Awaitable[None]]] = [
    kill_worker,
    stop_worker,
    freeze_worker,
    restart_database,
    forget_messages,
    stop_broker,
    stop_registry,
    freeze_registry,
    trouble_blobs,
    trouble_database,
]


async def check(run: Run, user: Client, created: list[JSON]) -> None:
    """Every build ends well, once; its log is whole and its digest is in the registry."""
    async with asyncio.timeout(MOST_SECONDS):
        for one in created:
            build = await user.finished(one)
            lines = await log_is_whole(user, build)
            text = "\n".join(lines)
            assert build["status"] == "SUCCEEDED", text
            assert sum(line.startswith("Done: ") for line in lines) == 1, text
            image = await user.image(one["image"]["id"])
            found = await run.arena.digest(image["name"])
            assert build["digest"] == image["digest"] == found, text
    await nothing_is_left(run)


async def nothing_is_left(run: Run) -> None:
    """No try's image stays on the engine; cleaning up may take a moment."""
    deadline = time.monotonic() + 3 * LEASE
    async with DockerEngine(run.engine) as engine:
        while True:
            async with engine._docker._query("images/json") as answer:  # an independent look
                names = [name for one in await answer.json() for name in one["RepoTags"] or ()]
            left = [name for name in names if name.startswith("darkroom.invalid/")]
            if not left or time.monotonic() > deadline:
                break
            await asyncio.sleep(0.5)
    assert not left, left


async def play(run: Run, seconds: float) -> None:
    began, number = time.monotonic(), 0
    async with client_of(run.arena.fleet.server.url) as user:
        while time.monotonic() - began < seconds:
            created = []
            for _ in range(IN_FLIGHT):
                text = dockerfile(run.arena.base, round(run.dice.uniform(0, 3), 1))
                created.append(await user.create("Dockerfile", name=new_name(), dockerfile=text))
            await asyncio.sleep(run.dice.uniform(0, 4))
            for action in run.dice.sample(ACTIONS, run.dice.randint(1, 2)):
                print(f"{time.monotonic() - began:7.1f} s  {action.__name__}", flush=True)
                await action(run)
            await check(run, user, created)
            number += len(created)
    print(f"{number} builds, every one ended once, with a whole log and its digest.")


def main() -> None:
    parser = argparse.ArgumentParser(prog="python -m tests.chaos", description=__doc__)
    parser.add_argument("--seconds", type=float, default=300)
    parser.add_argument("--seed", type=int, default=random.SystemRandom().randrange(10**6))
    given = parser.parse_args()
    print(f"seed {given.seed}")
    os.environ.update(CREDENTIALS)
    with contextlib.ExitStack() as stack:
        folder = Path(stack.enter_context(tempfile.TemporaryDirectory(prefix="dr-chaos-")))
        engine = stack.enter_context(local_engine(folder / "engine"))
        postgres = stack.enter_context(postgres_server())
        redis = stack.enter_context(redis_server(folder))
        s3 = stack.enter_context(s3_server(folder / "s3.log"))
        s3_port = int(s3.url.rpartition(":")[2])
        blobs = stack.enter_context(Network(s3_port).running())
        database = stack.enter_context(Network(postgres.port).running())
        settings = {
            "ENGINE_URL": engine,
            "DATABASE_URL": postgres.database().replace(f":{postgres.port}/", f":{database.port}/"),
            "BROKER_URL": redis.url,
            "BLOB_URL": s3.url.replace("some/prefix", uuid4().hex).replace(
                f":{s3_port}", f":{blobs.port}"
            ),
            "LEASE_SECONDS": str(LEASE),
            "BUILD_ATTEMPTS": "20",
            "LOG_FORMAT": "json",
        }
        found = stack.enter_context(arena(folder, settings))
        run = Run(
            found,
            postgres,
            redis,
            blobs,
            database,
            engine,
            random.Random(given.seed),  # noqa: S311  # to be repeated
        )
        for _ in range(2):
            run.start_worker()
        try:
            asyncio.run(_prepare(run))
            asyncio.run(play(run, given.seconds))
        finally:
            for _, worker in run.workers.values():
                worker.close()


async def _prepare(run: Run) -> None:
    async with DockerEngine(run.engine) as engine:
        await have_base(engine)
        name = f"{run.arena.registry_host}/library/busybox"
        await engine.tag(BASE, name, "1")
        await engine.push(name, "1")
        await engine.remove_image(f"{name}:1")
        run.arena.base = f"{name}:1"


if __name__ == "__main__":
    main()
