"""What resolvers work with, from a connection and who is at its other end."""

from starlette.requests import HTTPConnection

from engine.services import Services
from resolvers.context import RequestContext, context_of
from server.authentication import Identity
from server.language import prefers_chinese
from server.log_links import LogLinks


def context_for(request: HTTPConnection, identity: Identity) -> RequestContext:
    """The context of what this user asks by this connection."""
    services: Services = request.app.state.services
    links: LogLinks | None = request.app.state.log_links
    base = _http(request)

    def log_url(build_id: int) -> str:
        url = f"{base}/builds/{build_id}/log"
        return f"{url}/{links.sign(build_id, identity)}" if links else url

    chinese = prefers_chinese(request.headers.get("accept-language", ""))
    return context_of(services, identity.viewer, log_url, chinese=chinese)


def _http(connection: HTTPConnection) -> str:
    """The service's address as this client reaches it; a WebSocket's begins with `ws`."""
    url = connection.base_url
    return str(url.replace(scheme=url.scheme.replace("ws", "http"))).rstrip("/")
