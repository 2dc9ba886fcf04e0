"""GraphQL over HTTP, server-sent events and WebSocket, for one schema."""

import json
from collections.abc import AsyncIterator, Callable, Mapping
from datetime import timedelta
from typing import Any

import orjson
from cross_web import AsyncHTTPRequestAdapter, HTTPException
from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.types import Receive, Scope, Send
from starlette.websockets import WebSocket
from strawberry.asgi import GraphQL
from strawberry.http import GraphQLHTTPResponse, GraphQLRequestData, GraphQLRequestProtocol
from strawberry.http.parse_content_type import parse_content_type
from strawberry.subscriptions import GRAPHQL_SSE_PROTOCOL, GRAPHQL_TRANSPORT_WS_PROTOCOL
from strawberry.types import ExecutionResult
from strawberry.types.execution import PreExecutionError

from resolvers.context import RequestContext
from resolvers.schema import schema
from schema.context import Viewer
from server import audit, graphql_request, negotiation
from server.authentication import (
    IDENTITY,
    Identity,
    KeysUnavailable,
    Unauthenticated,
    identify,
)
from server.cross_site import refusal
from server.request_body import BodyRefused, drain, limited
from server.request_context import context_for
from server.streaming import until_expired
from server.websocket import Connection
from settings import Settings

_NOBODY = Identity(Viewer(name=""))
_EVENTS = "text/event-stream"
# How long a WebSocket may stay silent before it says who it is, in seconds.
_INTRODUCTION = 10


class Refused(Exception):
    """A request that is answered without looking at its operation."""

    def __init__(self, status: int, message: str, headers: Mapping[str, str] | None = None) -> None:
        super().__init__(message)
        self.response = JSONResponse({"errors": [{"message": message}]}, status, headers)


class Endpoint(GraphQL[RequestContext, None]):
    """The GraphQL endpoint."""

    graphql_transport_ws_handler_class = Connection

    def __init__(self, settings: Settings) -> None:
        super().__init__(
            schema,
            graphql_ide=None,
            subscription_protocols=(GRAPHQL_TRANSPORT_WS_PROTOCOL, GRAPHQL_SSE_PROTOCOL),
            multipart_uploads_enabled=True,
            connection_init_wait_timeout=timedelta(seconds=_INTRODUCTION),
            max_subscriptions_per_connection=settings.subscriptions_per_connection,
            allowed_origins=settings.allowed_origins,
        )
        self._settings = settings

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer a request, unless something about it is reason not to."""
        if scope["type"] != "http":
            await super().__call__(scope, receive, send)
            return
        try:
            response = await self._answer(scope, receive)
        except Refused as refused:
            response = refused.response
            audit.refused(scope, response.status_code)
        except BodyRefused as error:
            if error.status == 413:
                await drain(receive)
            response = Refused(error.status, error.message, {"Connection": "close"}).response
        except HTTPException as error:
            response = Refused(error.status_code, error.reason).response
        await response(scope, receive, send)

    async def _answer(self, scope: Scope, receive: Receive) -> Response:
        """Raises Refused, BodyRefused and HTTPException."""
        request = Request(scope)
        if request.method not in ("GET", "POST"):
            raise Refused(405, "GraphQL is asked by GET or POST.", {"Allow": "GET, POST"})
        if reason := refusal(request, self._settings.allowed_origins):
            raise Refused(403, reason)
        scope[IDENTITY] = identity = await _identified(request)
        _within_rate(request, identity, 1)
        whole = Request(scope, limited(request, receive, self._settings))
        try:
            return await self.run(whole)
        finally:
            await whole.close()  # the files of a form

    async def get_context(
        self, request: Request | WebSocket, response: Response | WebSocket
    ) -> RequestContext:
        """What resolvers work with; on a WebSocket nobody is known before `connection_init`."""
        return context_for(request, request.scope.get(IDENTITY, _NOBODY))

    def decode_json(self, data: str | bytes) -> object:
        """Also what comes by WebSocket."""
        return graphql_request.decode(data)

    def encode_json(self, data: object) -> str:
        """Also what goes by WebSocket, whose messages are text."""
        try:
            return orjson.dumps(data).decode()
        except orjson.JSONEncodeError:
            return json.dumps(data)

    async def parse_http_body(
        self, request: AsyncHTTPRequestAdapter
    ) -> GraphQLRequestData | list[GraphQLRequestData]:
        """The operation, or a batch of them. Raises HTTPException."""
        transport = self._get_stream_transport_from_headers(request.headers)
        protocol: GraphQLRequestProtocol = transport.protocol if transport else "http"
        data = await self._data(request)
        if not isinstance(data, list):
            return graphql_request.operation_of(data, protocol)
        most = self._settings.batch_size
        if transport or len(data) > most or most == 1:
            raise HTTPException(400, f"At most {most} operations are answered in one request.")
        return [graphql_request.operation_of(item, protocol) for item in data]

    async def _data(self, request: AsyncHTTPRequestAdapter) -> Any:
        if request.method == "GET":
            return self.parse_query_params(request.query_params)
        content_type, parameters = parse_content_type(request.content_type or "")
        if parameters.get("charset", "utf-8").lower() not in ("utf-8", "utf8"):
            raise HTTPException(415, "A request is encoded in UTF-8.")
        if content_type == "application/json":
            return self.parse_json(await request.get_body())
        if content_type == "multipart/form-data":
            return await self.parse_multipart(request)
        raise HTTPException(415, "A request is application/json, or multipart/form-data.")

    async def parse_multipart(self, request: AsyncHTTPRequestAdapter) -> Any:
        """By the GraphQL multipart request specification. Raises HTTPException."""
        try:
            return await super().parse_multipart(request)
        except (AttributeError, IndexError, KeyError, TypeError, ValueError):
            # The library follows the map's paths wherever they lead.
            raise HTTPException(400, "`map` does not fit `operations` and the files.") from None

    async def execute_operation(self, request: Request, *given: Any, **named: Any) -> Any:
        """A batch counts as the operations that it holds."""
        data = named.get("request_data")
        if isinstance(data, list):
            _within_rate(request, request.scope[IDENTITY], len(data) - 1)
        return await super().execute_operation(request, *given, **named)

    async def get_sub_response(self, request: Request | WebSocket) -> Response:
        """Where the answer's media type is settled. Raises HTTPException."""
        response = await super().get_sub_response(request)
        accept = request.headers.get("accept", "")
        media = negotiation.media_type(accept)
        if media is None and _EVENTS not in accept:
            types = f"{negotiation.JSON} and {negotiation.RESPONSE}"
            raise HTTPException(406, f"Answers are {types}.")
        response.media_type = media or negotiation.JSON
        return response

    async def process_result(
        self, request: Request, result: ExecutionResult
    ) -> GraphQLHTTPResponse:
        """What was not executed has no `data`, not even null."""
        answer: GraphQLHTTPResponse = await super().process_result(request, result)
        if isinstance(result, PreExecutionError):
            del answer["data"]
        return answer

    def create_response(
        self,
        response_data: GraphQLHTTPResponse | list[GraphQLHTTPResponse],
        sub_response: Response,
    ) -> Response:
        """The answer in the media type that the client asked for."""
        response = super().create_response(response_data, sub_response)
        media = sub_response.media_type or negotiation.JSON
        response.headers["content-type"] = f"{media}; charset=utf-8"
        response.headers["vary"] = "Accept, Accept-Language"
        response.headers["cache-control"] = "private, no-store"
        response.status_code = negotiation.status_of(media, response_data)
        return response

    async def create_streaming_response(
        self,
        request: Request | WebSocket,
        stream: Callable[[], AsyncIterator[str]],
        sub_response: Response,
        headers: Mapping[str, str],
    ) -> Response:
        """A stream counts among its user's subscriptions, and ends when their token does."""
        identity: Identity = request.scope[IDENTITY]
        presence = request.app.state.presence
        if presence.count(identity.viewer.name) >= self._settings.subscriptions_per_user:
            raise Refused(429, "You have too many subscriptions under way. End some of them.")
        return await super().create_streaming_response(
            request, until_expired(stream, identity, presence), sub_response, headers
        )


async def _identified(request: Request) -> Identity:
    try:
        return await identify(request)
    except Unauthenticated as error:
        raise Refused(401, error.message, error.headers) from None
    except KeysUnavailable as error:
        raise Refused(503, str(error), {"Retry-After": "10"}) from None


def _within_rate(request: Request, identity: Identity, count: int) -> None:
    if seconds := request.app.state.rates.take(identity.viewer.name, count):
        wait = str(int(seconds) + 1)
        message = f"You have started too many operations. Go on in {wait} seconds."
        raise Refused(429, message, {"Retry-After": wait})
