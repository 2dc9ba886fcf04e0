"""The ASGI application: what is served where, and what lives as long as it does."""

import asyncio
import contextlib
import logging
from collections.abc import AsyncIterator

from starlette.applications import Starlette
from starlette.middleware import Middleware
from starlette.middleware.cors import CORSMiddleware
from starlette.requests import Request
from starlette.responses import RedirectResponse
from starlette.routing import Route, WebSocketRoute

from engine import services, tracing
from engine.services import Services
from models import database
from server import authentication, health, log_download, metrics
from server.building import building, tending
from server.cross_site import PROOFS
from server.graphiql import page
from server.graphql import Endpoint
from server.headers import SecurityHeaders
from server.hosts import KnownHosts
from server.log_links import LogLinks
from server.presence import Presence
from server.rates import Rates
from server.request_id import RequestIds
from settings import Settings

log = logging.getLogger(__name__)


def application(settings: Settings) -> Starlette:
    """The whole service for these settings. The database must be migrated."""

    @contextlib.asynccontextmanager
    async def lifespan(app: Starlette) -> AsyncIterator[None]:
        async with (
            running(settings) as found,
            authentication.opened(settings) as authenticator,
            _reading_ahead(found),
        ):
            app.state.services = found
            app.state.authenticator = authenticator
            app.state.log_links = await asyncio.to_thread(LogLinks.from_settings, settings)
            app.state.presence = Presence()
            app.state.rates = Rates(settings.requests_per_minute)
            yield

    endpoint = Endpoint(settings)
    return Starlette(
        lifespan=lifespan,
        middleware=_middleware(settings),
        routes=[
            Route("/", _to_graphiql),
            Route("/graphql", endpoint),
            WebSocketRoute("/graphql", endpoint),
            *page.routes(),
            *log_download.routes(),
            *health.routes(),
            *metrics.routes(),
        ],
    )


def _middleware(settings: Settings) -> list[Middleware]:
    """What every request passes, from the outside in."""
    layers = [Middleware(RequestIds), Middleware(SecurityHeaders)]
    if settings.auth == "local":
        layers.append(Middleware(KnownHosts, settings))
    if settings.allowed_origins:
        layers.append(
            Middleware(
                CORSMiddleware,
                allow_origins=settings.allowed_origins,
                allow_methods=["GET", "POST"],
                allow_headers=["Authorization", "Content-Type", "Range", *PROOFS],
                expose_headers=["Content-Range", "ETag", "Retry-After", "WWW-Authenticate"],
                max_age=600,
            )
        )
    return layers


@contextlib.asynccontextmanager
async def running(settings: Settings) -> AsyncIterator[Services]:
    """The database and the services, and a worker where the server builds by itself."""
    async with (
        tracing.exporting(settings),
        database.opened(settings.database, everywhere=True),
        services.opened(settings) as found,
    ):
        if not settings.embedded_worker:
            async with tending(found):
                yield found
            return
        async with building(found):
            yield found


@contextlib.asynccontextmanager
async def _reading_ahead(services: Services) -> AsyncIterator[None]:
    """Read what lists are found by while nobody waits for it; a list that comes earlier does."""

    async def read() -> None:
        try:
            await services.index.now()
        except Exception:
            log.exception("the images could not be read ahead; the first list reads them")

    task = asyncio.create_task(read())
    try:
        yield
    finally:
        task.cancel()
        await asyncio.gather(task, return_exceptions=True)


async def _to_graphiql(request: Request) -> RedirectResponse:
    return RedirectResponse(f"{str(request.base_url).rstrip('/')}/graphiql")
