"""An id for every request, so that an answer and its log lines find each other."""

import re
import secrets

from starlette.datastructures import Headers, MutableHeaders
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from engine.context_ids import request_id

HEADER = "X-Request-ID"
# What a proxy in front gave is kept, as long as it cannot confuse who reads the log.
_ACCEPTABLE = re.compile(r"[A-Za-z0-9._-]{1,64}")


class RequestIds:
    """Takes the id that a proxy gave, or makes one; answers carry it."""

    def __init__(self, app: ASGIApp) -> None:
        self._app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Pass everything on, with the id known to all that the request starts."""
        if scope["type"] not in ("http", "websocket"):
            await self._app(scope, receive, send)
            return
        given = Headers(scope=scope).get(HEADER, "")
        found = given if _ACCEPTABLE.fullmatch(given) else secrets.token_hex(8)

        async def with_id(message: Message) -> None:
            if message["type"] == "http.response.start":
                MutableHeaders(scope=message)[HEADER] = found
            await send(message)

        token = request_id.set(found)
        try:
            await self._app(scope, receive, with_id)
        finally:
            request_id.reset(token)
