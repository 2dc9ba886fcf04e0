"""Following what may be taken away: a stream that ends when its image is no longer the viewer's."""

import asyncio
import time
from asyncio import FIRST_COMPLETED
from collections.abc import AsyncGenerator, AsyncIterator, Awaitable
from typing import Any, TypeVar

from engine.errors import NotFound
from engine.services import Services
from engine.together import Together
from models import Build, Image
from resolvers.access import may_see
from schema.context import Viewer

T = TypeVar("T")


def _find(id_: int) -> Awaitable[Image | None]:
    return Image.get_or_none(id=id_)


# A change of an image wakes all who follow any of its builds.
_images = Together(_find)


async def while_visible(
    events: AsyncIterator[T],
    services: Services,
    viewer: Viewer,
    build: Build,
    seconds: float | None = None,
) -> AsyncGenerator[T, None]:
    """The events of a build, until its image turns private or is deleted. Raises NotFound then.

    Whether it did is asked whenever the image changes, before anything that came after is told.
    After `seconds`, if given, it ends.
    """
    end = None if seconds is None else time.monotonic() + seconds
    following: asyncio.Future[T] | None = None
    with services.notifier.subscribe("image", build.image_id) as news:
        change = asyncio.ensure_future(news.wait())
        try:
            while True:
                following = following or asyncio.ensure_future(anext(events))
                left = None if end is None else max(0, end - time.monotonic())
                waited: set[asyncio.Future[Any]] = {following, change}
                if not (await asyncio.wait(waited, timeout=left, return_when=FIRST_COMPLETED))[0]:
                    return
                if change.done():
                    change = asyncio.ensure_future(news.wait())
                    await _check(viewer, build)
                if following.done():
                    done, following = following, None
                    yield done.result()
        except StopAsyncIteration:
            return
        finally:
            await _end([task for task in (change, following) if task], events)


async def _end(tasks: list[asyncio.Future[Any]], events: AsyncIterator[T]) -> None:
    for task in tasks:
        task.cancel()
    await asyncio.gather(*tasks, return_exceptions=True)
    if isinstance(events, AsyncGenerator):
        await events.aclose()


async def _check(viewer: Viewer, build: Build) -> None:
    image = await _images.ask(build.image_id)
    if image is None or not may_see(viewer, image):
        raise NotFound("There is no such build.")
