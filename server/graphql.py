"""GraphQL over HTTP and WebSocket, for one schema."""

from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.types import Receive, Scope, Send
from starlette.websockets import WebSocket
from strawberry.asgi import GraphQL
from strawberry.subscriptions import GRAPHQL_SSE_PROTOCOL, GRAPHQL_TRANSPORT_WS_PROTOCOL

from resolvers.context import RequestContext
from resolvers.schema import schema
from schema.context import Viewer
from server.authentication import Identity, KeysUnavailable, Unauthenticated, identify
from server.cross_site import refusal
from server.request_context import context_for
from server.websocket import Connection

_IDENTITY = "darkroom.identity"  # in the ASGI scope
_NOBODY = Identity(Viewer(name=""))


class Endpoint(GraphQL[RequestContext, None]):
    """The GraphQL endpoint."""

    graphql_transport_ws_handler_class = Connection

    def __init__(self) -> None:
        super().__init__(
            schema,
            graphql_ide=None,
            subscription_protocols=(GRAPHQL_TRANSPORT_WS_PROTOCOL, GRAPHQL_SSE_PROTOCOL),
            multipart_uploads_enabled=True,
        )

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer a request, unless another site's page sent it or nobody knows who did."""
        if scope["type"] == "http":
            request = Request(scope)
            if reason := refusal(request):
                await _error(403, reason)(scope, receive, send)
                return
            try:
                scope[_IDENTITY] = await identify(request)
            except Unauthenticated as error:
                await _error(401, error.message, error.headers)(scope, receive, send)
                return
            except KeysUnavailable as error:
                await _error(503, str(error))(scope, receive, send)
                return
        await super().__call__(scope, receive, send)

    async def get_context(
        self, request: Request | WebSocket, response: Response | WebSocket
    ) -> RequestContext:
        """What resolvers work with; on a WebSocket nobody is known before `connection_init`."""
        return context_for(request, request.scope.get(_IDENTITY, _NOBODY))


def _error(status: int, message: str, headers: dict[str, str] | None = None) -> Response:
    return JSONResponse({"errors": [{"message": message}]}, status, headers)
