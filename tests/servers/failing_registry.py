"""A registry that fails at what it is told to, in front of one that works."""

import contextlib
from collections.abc import AsyncIterator
from dataclasses import dataclass, field

import aiohttp
from aiohttp import web


@dataclass
class FailingRegistry:
    """Passes everything on, but answers the first `failures` manifests with 503."""

    behind: str
    failures: int
    host: str = ""
    refused: int = field(default=0, init=False)

    def _headers(self, request: web.Request) -> dict[str, str]:
        # The client chunks by itself, and says so by itself.
        kept = {k: v for k, v in request.headers.items() if k.lower() != "transfer-encoding"}
        return {**kept, "Host": self.host}

    async def answer(self, request: web.Request) -> web.StreamResponse:
        if request.method == "PUT" and "/manifests/" in request.path and self.failures:
            self.failures -= 1
            self.refused += 1
            return web.Response(status=503)
        async with (
            aiohttp.ClientSession(auto_decompress=False) as session,
            session.request(
                request.method,
                f"http://{self.behind}{request.raw_path}",
                # With our name as the host, the registry's addresses lead here again.
                headers=self._headers(request),
                data=request.content if request.body_exists else None,
                allow_redirects=False,
            ) as found,
        ):
            answer = web.StreamResponse(status=found.status, headers=found.headers)
            await answer.prepare(request)
            async for chunk in found.content.iter_any():
                await answer.write(chunk)
            await answer.write_eof()
            return answer


@contextlib.asynccontextmanager
async def failing_registry(behind: str, failures: int) -> AsyncIterator[FailingRegistry]:
    """In front of the registry at `behind` (`host:port`), on a free port of loopback."""
    found = FailingRegistry(behind, failures)
    app = web.Application(client_max_size=2**31)
    app.router.add_route("*", "/{path:.*}", found.answer)
    runner = web.AppRunner(app)
    await runner.setup()
    await web.TCPSite(runner, "127.0.0.1", 0).start()
    found.host = f"127.0.0.1:{runner.addresses[0][1]}"
    try:
        yield found
    finally:
        await runner.cleanup()
