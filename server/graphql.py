"""GraphQL over HTTP, WebSocket and server-sent events, for one schema."""

from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.types import Receive, Scope, Send
from starlette.websockets import WebSocket
from strawberry.asgi import GraphQL
from strawberry.subscriptions import GRAPHQL_TRANSPORT_WS_PROTOCOL

from engine.services import Services
from resolvers.context import RequestContext, context_of
from resolvers.schema import schema
from server.authentication import viewer
from server.cross_site import refusal
from server.language import prefers_chinese

# Seconds between two signs of life of a connection on which nothing happens.
ALIVE = 15


class Endpoint(GraphQL[RequestContext, None]):
    """The GraphQL endpoint."""

    def __init__(self) -> None:
        super().__init__(
            schema,
            graphql_ide=None,
            subscription_protocols=(GRAPHQL_TRANSPORT_WS_PROTOCOL,),
            multipart_uploads_enabled=True,
        )

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer a request, unless another site's page sent it."""
        if scope["type"] == "http" and (reason := refusal(Request(scope))):
            response = JSONResponse({"errors": [{"message": reason}]}, status_code=403)
            await response(scope, receive, send)
            return
        await super().__call__(scope, receive, send)

    async def get_context(
        self, request: Request | WebSocket, response: Response | WebSocket
    ) -> RequestContext:
        """What resolvers work with."""
        services: Services = request.app.state.services
        chinese = prefers_chinese(request.headers.get("accept-language", ""))
        return context_of(services, viewer(request), _http(request), chinese=chinese)


def _http(connection: Request | WebSocket) -> str:
    """The service's address as this client reaches it; a WebSocket's begins with `ws`."""
    url = connection.base_url
    return str(url.replace(scheme=url.scheme.replace("ws", "http"))).rstrip("/")
