"""Cleaning up that a cancel cannot interrupt."""

import asyncio
from collections.abc import Awaitable
from typing import TypeVar

T = TypeVar("T")


async def in_full(work: Awaitable[T]) -> T:
    """Finish `work`, however often the task is cancelled meanwhile; the cancel is raised then.

    One `shield` is not enough: the second cancel would interrupt the wait behind it, and the rest
    would go on after the caller believes that it is over.
    """
    task = asyncio.ensure_future(work)
    cancelled: asyncio.CancelledError | None = None
    while not task.done():
        try:
            await asyncio.shield(task)
        except asyncio.CancelledError as error:
            cancelled = error
    if cancelled:
        raise cancelled
    return task.result()
