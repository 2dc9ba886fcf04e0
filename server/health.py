"""Whether the service lives, and whether it can work."""

import asyncio
from collections.abc import Awaitable, Callable

from starlette.requests import Request
from starlette.responses import JSONResponse, PlainTextResponse
from starlette.routing import BaseRoute, Route

from engine.errors import EngineError
from engine.services import Services
from models import Image

# A part that takes longer than this is as good as gone, in seconds.
PATIENCE = 3


# Without these requests are answered all the same: idle workers look for builds by themselves, and
# readers hear late of what other processes do.
_SPARE = ("broker", "notifications")


async def alive(request: Request) -> PlainTextResponse:
    """The process answers; nothing else is asked."""
    return PlainTextResponse("ok\n")


async def ready(request: Request) -> JSONResponse:
    """Every part that requests need answers; what does not is named."""
    services: Services = request.app.state.services
    parts: dict[str, Callable[[], Awaitable[object]]] = {
        "database": lambda: Image.exists(),
        "registry": services.registry.ping,
        "blobs": lambda: services.blobs.exists("ready"),
        "broker": services.queue.ping,
        "notifications": services.notifier.ping,
    }
    if services.settings.embedded_worker:
        parts["engine"] = services.docker.ping
    answers = await asyncio.gather(*(_answer(ask) for ask in parts.values()))
    states = dict(zip(parts, answers, strict=True))
    down = [part for part, state in states.items() if state != "ok" and part not in _SPARE]
    return JSONResponse({"ready": not down, "parts": states}, status_code=503 if down else 200)


async def _answer(ask: Callable[[], Awaitable[object]]) -> str:
    try:
        async with asyncio.timeout(PATIENCE):
            await ask()
    except TimeoutError:
        return f"no answer within {PATIENCE} seconds"
    except EngineError as error:
        return error.message
    except Exception as error:  # noqa: BLE001  # whatever it is, the part does not work
        return type(error).__name__
    return "ok"


def routes() -> list[BaseRoute]:
    """The two questions that an orchestrator asks."""
    return [Route("/healthz", alive), Route("/readyz", ready)]
