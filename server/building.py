"""Building, for as long as a process lives: taking builds, sweeping, and stopping in order."""

import asyncio
import contextlib
import logging
from collections.abc import AsyncIterator

from engine import builds, existing, worker
from engine.services import Services

log = logging.getLogger(__name__)


@contextlib.asynccontextmanager
async def building(services: Services) -> AsyncIterator[None]:
    """Take builds until the block ends; those that run then are handed back."""
    running: set[asyncio.Task[None]] = set()

    async def work(build_id: int) -> None:
        task = asyncio.create_task(worker.work(services, build_id))
        running.add(task)
        # A cancel of the task is this process stopping; to the broker, the message was handled.
        await asyncio.gather(task, return_exceptions=True)
        running.discard(task)
        if not task.cancelled() and (error := task.exception()):
            log.error("build %s could not be worked on", build_id, exc_info=error)

    sweeping = asyncio.create_task(_sweep_forever(services))
    await services.queue.work(work, services.settings.builds_at_once)
    try:
        yield
    finally:
        sweeping.cancel()
        await asyncio.gather(sweeping, return_exceptions=True)
        for task in running:
            task.cancel()
        await asyncio.gather(*running, return_exceptions=True)
        await services.queue.stop()


async def _sweep_forever(services: Services) -> None:
    """Look for what was left behind, at once and then as often as a lease may run out."""
    while True:
        try:
            await builds.sweep(services)
            await existing.look_at_some(services)
        except Exception:
            log.exception("the sweep failed; it is tried again")
        await asyncio.sleep(services.settings.lease_seconds / 3)
