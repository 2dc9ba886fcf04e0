"""What `darkroom demo` shows."""

import asyncio
import contextlib
import logging
from pathlib import Path
from typing import Any

import aiohttp
import uvicorn
from rich.console import Console

import settings as settings_module
from engine import tags
from models import database
from server.app import application
from server.demo.client import LOG, UPDATED, Client, Refused
from server.demo.servers import prepare
from server.demo.show import Show
from server.local.process import DidNotStart
from settings import Settings

EXAMPLE = Path(__file__).parents[2] / "examples" / "hello"
NAME = "/demo/hello:1.0"
BUSYBOX = Path("/bin/busybox")


def run(port: int, *, once: bool) -> int:
    """Build the example and serve until Ctrl-C; the exit code."""
    console = Console(highlight=False)
    settings = settings_module.load()
    # The demo speaks for itself; what the server has to say beyond that is a warning.
    logging.getLogger().setLevel(logging.WARNING)
    console.print("[bold]Darkroom[/] makes an image, and keeps the negative.\n")
    try:
        with contextlib.ExitStack() as stack:
            found = prepare(settings, stack, console)
            return asyncio.run(_demo(found, port, console, once=once))
    except (DidNotStart, Refused) as error:
        console.print(f"[red]{error}[/]")
        return 1
    except KeyboardInterrupt:
        console.print("\nStopped, with everything that was started.")
        return 0


async def _demo(settings: Settings, port: int, console: Console, *, once: bool) -> int:
    await database.migrate(settings.database)
    async with database.opened(settings.database):
        await tags.seed()
    async with _served(settings, port) as serving, aiohttp.ClientSession() as session:
        url = f"http://127.0.0.1:{port}"
        console.print(f"[dim]Service         {url}[/]\n")
        succeeded = await _build(Client(session, url), console)
        if once or not succeeded:
            return 0 if succeeded else 1
        console.print(f"  Explore    {url}/graphiql")
        console.print("\nServing until Ctrl-C.")
        await serving
        raise KeyboardInterrupt


@contextlib.asynccontextmanager
async def _served(settings: Settings, port: int) -> Any:
    """The service, on this event loop, until the block ends."""
    config = uvicorn.Config(
        application(settings),
        host="127.0.0.1",
        port=port,
        log_config=None,
        access_log=False,
        timeout_graceful_shutdown=1,
    )
    server = uvicorn.Server(config)
    serving = asyncio.create_task(server.serve())
    try:
        while not server.started:
            if serving.done():
                raise DidNotStart(f"Port {port} is taken. Try another one: darkroom demo --port …")
            await asyncio.sleep(0.02)
        yield serving
    finally:
        server.should_exit = True
        await serving


async def _build(client: Client, console: Console) -> bool:
    created = await client.create(NAME, EXAMPLE, {"busybox": BUSYBOX})
    build = created["build"]
    console.print(f"Building [bold]{created['image']['reference']}[/] from {EXAMPLE.name}/\n")
    show = Show(console)

    async def steps() -> dict[str, Any]:
        last: dict[str, Any] = {}
        async for last in client.follow(UPDATED, build["id"]):
            show.steps(last["steps"])
        return last

    async def log() -> None:
        async for chunk in client.follow(LOG, build["id"]):
            if chunk:
                show.lines(chunk)

    finished, _ = await asyncio.gather(steps(), log())
    show.result(created["image"], finished)
    return bool(finished["status"] == "SUCCEEDED")
