"""GraphiQL at `/graphiql`: served whole from this machine, since an intranet reaches no CDN.

All addresses in the page are relative to its own, so it works behind any path prefix, also one
that a proxy takes away without telling.
"""

from pathlib import Path

from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import BaseRoute, Route

from server.graphiql import assets, examples

_HERE = Path(__file__).parent
_SITE = _HERE / "site"
_FOLDERS = (_HERE / "static", _SITE)
_TEMPLATE = "page.html"

# Scripts, styles and connections only of this server ('self' covers its WebSocket too), nothing
# inline, no plug-in, no frame. GraphiQL's fonts and some icons are data: inside its style sheet.
# The one thing this refuses is a style by which its dialogs lock the page's scrolling; the page
# does not scroll.
_POLICY = "; ".join(
    [
        "default-src 'none'",
        "script-src 'self'",
        "style-src 'self'",
        "font-src 'self' data:",
        "img-src 'self' data:",
        "connect-src 'self'",
        "base-uri 'none'",
        "form-action 'none'",
        "frame-ancestors 'none'",
    ]
)
_FOR_ALL = {
    "X-Content-Type-Options": "nosniff",
    "Referrer-Policy": "no-referrer",
    "Cross-Origin-Resource-Policy": "same-origin",
}
_FOR_PAGE = _FOR_ALL | {
    "Content-Security-Policy": _POLICY,
    "Cross-Origin-Opener-Policy": "same-origin",
    "X-Frame-Options": "DENY",
    # Always asked for again, and rarely sent again: its ETag says whether it is still the same.
    "Cache-Control": "no-cache",
}
# The address holds the release's hash, so what it names never changes (RFC 8246).
_FOR_FILE = _FOR_ALL | {"Cache-Control": "public, max-age=31536000, immutable"}


def routes() -> list[BaseRoute]:
    """The page and its files. Reads and compresses them all, which takes a moment: call it once."""
    files = assets.read(_FOLDERS)
    template = files.pop(_TEMPLATE).body.decode()
    release = assets.release(files)
    html = template.replace("{{ static }}", f"graphiql/static/{release}").replace(
        "{{ examples }}", examples.as_script(examples.load())
    )
    page = assets.Asset.of(html.encode(), "text/html")

    async def show_page(request: Request) -> Response:
        return page.answer(request, _FOR_PAGE)

    async def send_file(request: Request) -> Response:
        file = files.get(request.path_params["name"])
        if file is None:
            return Response(status_code=404)
        return file.answer(request, _FOR_FILE)

    return [
        Route("/graphiql", show_page, name="graphiql"),
        Route(f"/graphiql/static/{release}/{{name}}", send_file, name="graphiql-file"),
    ]
