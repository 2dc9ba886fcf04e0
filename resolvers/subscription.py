"""What is followed."""

import contextlib
from collections.abc import AsyncGenerator
from typing import Annotated

import strawberry
from pyroaring import BitMap

import models
from engine.logs.archive import Chunk
from engine.logs.reader import End
from engine.services import Services
from models.enums import FINAL
from resolvers import find
from resolvers.access import may_see
from resolvers.context import services_of, viewer_of
from resolvers.following import while_visible
from resolvers.selection import visible
from schema import ids
from schema.build import Build
from schema.context import Info, Viewer
from schema.field import subscription
from schema.image import Image
from schema.log import AfterLine, BuildLogChunk, BuildLogEnd, BuildLogEvent
from schema.results import ImageChange

BuildId = Annotated[strawberry.ID, strawberry.argument(description="The build's id.")]


@strawberry.type(description="What is followed, by WebSocket or server-sent events.")
class Subscription:
    """The root of subscriptions."""

    @subscription(
        "The log after line `after`, then live, without a gap or a repeat; `BuildLogEnd` comes "
        "last, and only when the build is over."
    )
    async def build_log(
        self, info: Info, build_id: BuildId, after: AfterLine = 0
    ) -> AsyncGenerator[BuildLogEvent, None]:
        """Replays what is kept, and goes on from there."""
        viewer, services = viewer_of(info), services_of(info)
        build = await find.build_to_see(viewer, build_id)
        events = services.logs.follow(build.id, max(0, after))
        async with contextlib.aclosing(while_visible(events, services, viewer, build)) as seen:
            async for event in seen:
                yield _told(event)

    @subscription(
        "The build now, then at every change of status or step; completes when it is over."
    )
    async def build_updated(self, info: Info, build_id: BuildId) -> AsyncGenerator[Build, None]:
        """Log lines alone are no change."""
        viewer, services = viewer_of(info), services_of(info)
        build = await find.build_to_see(viewer, build_id)
        updates = _updates(services, build.id)
        async with contextlib.aclosing(while_visible(updates, services, viewer, build)) as seen:
            async for row in seen:
                yield Build.of(row)

    @subscription("Each image that the viewer may see, whenever it changes.")
    async def image_changed(self, info: Info) -> AsyncGenerator[ImageChange, None]:
        """One that was deleted, or turned private, is told by its id alone."""
        viewer = viewer_of(info)
        with services_of(info).notifier.subscribe("image") as news:
            seen = await _visible_now(services_of(info), viewer)
            while True:
                for id_ in await news.wait():
                    if change := await _change(viewer, id_, seen):
                        yield change


async def _visible_now(services: Services, viewer: Viewer) -> BitMap:
    return visible(await services.index.now(), viewer)


def _told(event: Chunk | End) -> BuildLogEvent:
    if isinstance(event, End):
        return BuildLogEnd(cursor=event.cursor, status=event.status)
    return BuildLogChunk(
        first_line=event.first_line,
        cursor=event.last_line,
        step=event.step,
        time=event.time,
        text=event.text,
    )


async def _updates(services: Services, build_id: int) -> AsyncGenerator[models.Build, None]:
    """The build now and at every change, until it is over or its record is gone."""
    seen: object = None
    with services.notifier.subscribe("build", build_id) as news:
        while row := await models.Build.get_or_none(id=build_id):
            state = await _state(row)
            if state != seen:
                seen = state
                yield row
            if row.status in FINAL:
                return
            await news.wait()


async def _state(build: models.Build) -> object:
    """All that a reader of a build's steps can see of a change."""
    rows = models.BuildStep.filter(build_id=build.id)
    steps = await rows.values_list("index", "name", "status", "started_at", "finished_at")
    return (build.status, build.attempt, build.context_digest, build.digest, build.bases, steps)


async def _change(viewer: Viewer, id_: int, seen: BitMap) -> ImageChange | None:
    """What to tell of an image: nothing of one that the viewer never saw."""
    row = await models.Image.get_or_none(id=id_)
    if row and may_see(viewer, row):
        seen.add(id_)
        return ImageChange(id=ids.encode("Image", id_), image=Image.of(row))
    if id_ in seen:
        seen.discard(id_)
        return ImageChange(id=ids.encode("Image", id_), image=None)
    return None
