"""The whole log of a build as plain text: ranges (RFC 9110), ETag, and `?follow=1`."""

import contextlib
import re
from collections.abc import AsyncIterator
from dataclasses import dataclass

from starlette.requests import Request
from starlette.responses import PlainTextResponse, Response, StreamingResponse
from starlette.routing import BaseRoute, Route

from engine.errors import NotFound
from engine.logs.reader import End
from engine.services import Services
from models import Build
from resolvers import find
from resolvers.following import while_visible
from schema import ids
from server import audit
from server.authentication import Identity, KeysUnavailable, Unauthenticated, identify
from server.log_links import LogLinks

# No log has 10^18 bytes, and Python refuses to read numbers of thousands of digits.
_RANGE = re.compile(r"bytes=(\d{0,18})-(\d{0,18})")


@dataclass(frozen=True, slots=True)
class Span:
    """Bytes from `start` up to, not including, `end`."""

    start: int
    end: int


async def download(request: Request) -> Response:
    """Send a build's log, or a part of it, or all of it as it grows."""
    services: Services = request.app.state.services
    try:
        identity = await _identify(request)
    except Unauthenticated as error:
        audit.refused(request.scope, 401)
        return PlainTextResponse(f"{error.message}\n", 401, error.headers)
    except KeysUnavailable as error:
        audit.refused(request.scope, 503)
        return PlainTextResponse(f"{error}\n", 503)
    response = await _answer(request, services, identity)
    build_id = request.path_params["id"]
    audit.downloaded(request.scope, identity, build_id, response.status_code)
    return response


async def _answer(request: Request, services: Services, identity: Identity) -> Response:
    id_ = ids.encode("Build", request.path_params["id"])
    build = await find.build(identity.viewer, id_)
    if build is None:
        return PlainTextResponse("There is no such build.\n", status_code=404)
    name = f"build-{build.id}.log"
    if request.query_params.get("follow") in ("1", "true"):
        return _stream(request, _follow(services, identity, build), {}, name)
    return _whole(request, services, build, name)


async def _identify(request: Request) -> Identity:
    """By the link's signature, else by the header. Raises Unauthenticated and KeysUnavailable."""
    links: LogLinks | None = request.app.state.log_links
    signature = request.path_params.get("signature")
    if links and signature and "authorization" not in request.headers:
        return links.identify(signature, request.path_params["id"])
    return await identify(request)


def _whole(request: Request, services: Services, build: Build, name: str) -> Response:
    """What there is now, or the part that is asked for; its tag changes with every line."""
    size = build.log_bytes
    etag = f'"{build.id}-{build.attempt}-{size}"'
    headers = {"ETag": etag, "Accept-Ranges": "bytes", "Cache-Control": "private, no-cache"}
    if _is_known(request, etag):
        return Response(status_code=304, headers=headers)
    asked = _asked(request, size, etag)
    if asked and asked.start >= asked.end:
        headers["Content-Range"] = f"bytes */{size}"
        return PlainTextResponse("There is no such part of the log.\n", 416, headers)
    if asked:
        headers["Content-Range"] = f"bytes {asked.start}-{asked.end - 1}/{size}"
    span = asked or Span(0, size)
    headers["Content-Length"] = str(span.end - span.start)
    body = _part(services, build, span)
    return _stream(request, body, headers, name, status=206 if asked else 200)


def _is_known(request: Request, etag: str) -> bool:
    """Whether the client has this version (RFC 9110, 13.1.2)."""
    tags = [tag.strip() for tag in request.headers.get("if-none-match", "").split(",")]
    return "*" in tags or etag in [tag.removeprefix("W/") for tag in tags]


def _asked(request: Request, size: int, etag: str) -> Span | None:
    """The part that is asked for, empty when there is no such part; None for the whole.

    Several ranges at once, and ranges of another version, are answered with the whole.
    """
    asked = _RANGE.fullmatch(request.headers.get("range", ""))
    if asked is None or request.headers.get("if-range", etag) != etag:
        return None
    first, last = asked.groups()
    if first:
        return Span(int(first), min(int(last) + 1, size) if last else size)
    return Span(max(0, size - int(last)), size) if last else None


async def _part(services: Services, build: Build, span: Span) -> AsyncIterator[bytes]:
    left = span.end - span.start
    async for data in services.logs.text(build, span.start):
        yield data[:left]
        left -= len(data)
        if left <= 0:
            return


async def _follow(services: Services, identity: Identity, build: Build) -> AsyncIterator[bytes]:
    """Every line there is, then every line that comes, until the build is over.

    It ends sooner when the token expires, or when the image is no longer the reader's to see.
    """
    events = services.logs.follow(build.id, 0)
    seen = while_visible(events, services, identity.viewer, build, identity.seconds_left)
    with contextlib.suppress(NotFound):
        async with contextlib.aclosing(seen):
            async for event in seen:
                if not isinstance(event, End):
                    yield event.data


async def _nothing() -> AsyncIterator[bytes]:
    empty: tuple[bytes, ...] = ()
    for nothing in empty:
        yield nothing


def _stream(
    request: Request,
    body: AsyncIterator[bytes],
    headers: dict[str, str],
    name: str,
    status: int = 200,
) -> StreamingResponse:
    if request.method == "HEAD":
        body = _nothing()  # a log that is followed would not end
    headers |= {"Content-Disposition": f'inline; filename="{name}"'}
    return StreamingResponse(body, status, headers, media_type="text/plain; charset=utf-8")


def routes() -> list[BaseRoute]:
    """Where `Build.logUrl` points."""
    return [
        Route("/builds/{id:int}/log", download, name="log"),
        Route("/builds/{id:int}/log/{signature}", download, name="signed-log"),
    ]
