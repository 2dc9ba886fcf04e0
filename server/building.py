"""Building, for as long as a process lives: taking builds, sweeping, and stopping in order."""

import asyncio
import contextlib
import logging
import signal
from collections.abc import AsyncIterator, Awaitable, Callable
from typing import Any

from engine import builds, engine_cache, existing, housekeeping, leftovers, sweeping, worker
from engine.errors import EngineError
from engine.saving import sweeping as sweeping_jobs
from engine.services import Services
from models import Build

log = logging.getLogger(__name__)


class Slots:
    """The builds of this process: so many at once, each slot taking one after another."""

    def __init__(self, services: Services) -> None:
        self._services = services
        self._free = asyncio.Semaphore(services.settings.builds_at_once)
        self._running: set[asyncio.Task[None]] = set()
        self._stopping = False

    async def woken(self, build_id: int) -> None:
        """Take whatever is next, until nothing is: `build_id` only says that there is something.

        The message is held meanwhile, so that a worker that is busy leaves the others theirs.
        """
        await self._free.acquire()
        # A cancel of the task is this process stopping; to the broker, the message was handled.
        await asyncio.gather(self._start(None), return_exceptions=True)

    async def look(self) -> None:
        """Take what no message told of: the broker may have lost it, or be away itself."""
        while not self._free.locked():
            await self._free.acquire()
            try:
                build = await builds.claim(self._services)
            except BaseException:
                self._free.release()
                raise
            if build is None:
                self._free.release()
                return
            self._start(build)

    def close(self) -> None:
        """Take nothing new."""
        self._stopping = True

    async def drain(self, seconds: float) -> None:
        """Let what runs end within so many seconds, or until a second signal."""
        if not self._running:
            return
        log.info("%d builds may end within %g seconds", len(self._running), seconds)
        hurry = asyncio.Event()
        for number in (signal.SIGTERM, signal.SIGINT):
            # Over the handler of the first one, which has done all that it does.
            asyncio.get_running_loop().add_signal_handler(number, hurry.set)
        hurried = asyncio.create_task(hurry.wait())
        ended = asyncio.gather(*self._running, return_exceptions=True)
        either: set[asyncio.Future[Any]] = {hurried, ended}
        await asyncio.wait(either, timeout=seconds, return_when=asyncio.FIRST_COMPLETED)
        hurried.cancel()

    async def stop(self) -> None:
        """Hand back what runs."""
        self.close()
        for task in self._running:
            task.cancel()
        await asyncio.gather(*self._running, return_exceptions=True)

    def _start(self, build: Build | None) -> asyncio.Task[None]:
        task = asyncio.create_task(self._work(build))
        self._running.add(task)
        task.add_done_callback(self._running.discard)
        return task

    async def _work(self, build: Build | None) -> None:
        try:
            while not self._stopping and (build or (build := await builds.claim(self._services))):
                await worker.work(self._services, build)
                build = None
        except Exception:
            log.exception("%s could not be worked on", f"build {build.id}" if build else "a build")
        finally:
            self._free.release()


@contextlib.asynccontextmanager
async def building(services: Services) -> AsyncIterator[None]:
    """Take builds until the block ends; those that run then may end, or are handed back."""
    slots = Slots(services)
    async with tending(services, slots):
        await services.queue.work(slots.woken, services.settings.builds_at_once)
        try:
            yield
        finally:
            slots.close()
            services.queue.pause()
    await slots.drain(services.settings.grace_seconds)
    await slots.stop()
    await services.queue.stop()


@contextlib.asynccontextmanager
async def tending(services: Services, slots: Slots | None = None) -> AsyncIterator[None]:
    """Look after builds that nobody works on until the block ends; servers do so too."""
    tasks = [
        asyncio.create_task(_sweep_forever(services, slots)),
        # By themselves: a server that does not answer must not hold up the builds.
        asyncio.create_task(
            _tidy_forever(
                services,
                sweeping.finish,
                sweeping.withdraw_left,
                existing.look_at_some,
                housekeeping.clean_if_due,
            )
        ),
    ]
    if slots:
        hour = services.settings.housekeeping_seconds
        tasks.append(asyncio.create_task(_tidy_forever(services, leftovers.remove_images)))
        tasks.append(asyncio.create_task(_sweep_cluster_forever(services)))
        tasks.append(asyncio.create_task(_tidy_forever(services, engine_cache.trim, pause=hour)))
    try:
        yield
    finally:
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)


async def _sweep_forever(services: Services, slots: Slots | None) -> None:
    """Look for what was left behind, at once and then as often as a lease may run out."""
    while True:
        try:
            await sweeping.sweep(services)
            if slots:
                await slots.look()
        except Exception:
            log.exception("the sweep failed; it is tried again")
        await asyncio.sleep(services.settings.lease_seconds / 3)


async def _tidy_forever(
    services: Services, *works: Callable[[Services], Awaitable[None]], pause: float | None = None
) -> None:
    """What may take long, for it asks other servers: a lost claim must not wait for it."""
    while True:
        for work in works:
            try:
                await work(services)
            except EngineError as error:
                log.warning("tidying up must wait: %s", error.message)
            except Exception:
                log.exception("tidying up failed; it is tried again")
        await asyncio.sleep(pause or services.settings.lease_seconds / 3)


async def _sweep_cluster_forever(services: Services) -> None:
    """Look for saving Jobs that nobody follows any more."""
    while True:
        try:
            await sweeping_jobs.sweep(services)
        except Exception:
            log.exception("the sweep of saving Jobs failed; it is tried again")
        await asyncio.sleep(services.settings.lease_seconds)
