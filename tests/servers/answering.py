"""Servers within a test, for answers that no honest registry gives."""

import contextlib
from collections.abc import AsyncIterator, Awaitable, Callable

from aiohttp import web
from aiohttp.test_utils import TestServer

Handler = Callable[[web.Request], Awaitable[web.StreamResponse]]


@contextlib.asynccontextmanager
async def serving(handler: Handler) -> AsyncIterator[str]:
    """A server that answers everything by `handler`; gives its `host:port`."""

    async def answer(request: web.Request) -> web.StreamResponse:
        return await handler(request)

    app = web.Application()
    app.router.add_route("*", "/{path:.*}", answer)
    server = TestServer(app, host="127.0.0.1")
    await server.start_server()
    try:
        yield f"127.0.0.1:{server.port}"
    finally:
        await server.close()


class Recorder:
    """Gives the same answer to all, and keeps what was asked."""

    def __init__(self, status: int = 200, body: bytes = b"", **headers: str) -> None:
        self.asked: list[web.Request] = []
        self.status, self.body = status, body
        self.headers = {name.replace("_", "-"): value for name, value in headers.items()}

    async def __call__(self, request: web.Request) -> web.StreamResponse:
        self.asked.append(request)
        return web.Response(status=self.status, body=self.body, headers=self.headers)


class Challenger(Recorder):
    """A registry whose token service is `realm`; lets in whoever brings a token."""

    def __init__(self, realm: str) -> None:
        super().__init__()
        self.realm = realm

    async def __call__(self, request: web.Request) -> web.StreamResponse:
        response = await super().__call__(request)
        if request.headers.get("Authorization", "").startswith("Bearer "):
            return response
        challenge = f'Bearer realm="{self.realm}",service="registry",scope="repository:a/b:pull"'
        return web.Response(status=401, headers={"WWW-Authenticate": challenge})
