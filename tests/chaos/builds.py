"""Builds that are held in one phase while a test breaks something."""

import asyncio
import contextlib
from collections.abc import AsyncIterator

import asyncpg  # type: ignore[import-untyped]  # it ships no types

from schema import ids
from tests.chaos.arena import Arena, dockerfile, new_name
from tests.fixtures.service import JSON, Client


@contextlib.asynccontextmanager
async def held_in(phase: str, ring: Arena, user: Client, seconds: float = 2) -> AsyncIterator[JSON]:
    """A build that a worker holds in this phase, for as long as the block lasts."""
    if phase == "fetching":
        with ring.registry.frozen():
            created = await create(ring, user, seconds)
            await user.reached(created["build"]["id"], "PREPARING")
            yield created
        return
    created = await create(ring, user, seconds)
    id_ = created["build"]["id"]
    await user.reached(id_, "BUILDING")
    await said(user, id_, "line 49")
    if phase == "building":
        yield created
        return
    with ring.registry.frozen():
        await user.reached(id_, "PUSHING")
        if phase == "pushing":
            yield created
            return
        image = ids.decode("Image", created["image"]["id"])
        connection = await asyncpg.connect(ring.fleet.settings["DATABASE_URL"])
        await connection.execute("BEGIN")
        await connection.fetchrow("SELECT id FROM image WHERE id = $1 FOR UPDATE", image)
    # The push goes on now, and its record waits for the image's row.
    try:
        while await ring.digest(created["image"]["name"]) is None:  # noqa: ASYNC110
            await asyncio.sleep(0.05)
        await said(user, id_, "compressed.")
        yield created
    finally:
        await connection.close()


async def create(ring: Arena, user: Client, seconds: float = 2) -> JSON:
    return await user.create(
        "Dockerfile", name=new_name(), dockerfile=dockerfile(ring.base, seconds)
    )


async def said(user: Client, id_: str, text: str) -> None:
    """Wait until the log has a line that ends so."""
    async with contextlib.aclosing(user.follow(id_)) as events:
        async for event in events:
            if any(line.endswith(text) for line in event.get("text", "").split("\n")):
                return
