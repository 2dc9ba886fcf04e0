"""One WebSocket: who speaks on it, and for how long (the graphql-transport-ws protocol)."""

import asyncio
import contextlib
import logging
from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

from graphql import GraphQLError
from starlette.websockets import WebSocketDisconnect
from starlette.websockets import WebSocketDisconnected as Disconnected
from strawberry.http.exceptions import WebSocketDisconnected
from strawberry.subscriptions.protocols.graphql_transport_ws.handlers import (
    BaseGraphQLTransportWSHandler,
)
from strawberry.subscriptions.protocols.graphql_transport_ws.types import (
    ConnectionInitMessage,
    SubscribeMessage,
)

from resolvers.context import RequestContext
from server.authentication import Authenticator, Identity, KeysUnavailable, Unauthenticated
from server.request_context import context_for

if TYPE_CHECKING:
    from starlette.websockets import WebSocket

log = logging.getLogger(__name__)

FORBIDDEN = 4403  # by the protocol, what a server that rejects a connection closes it with
TRY_LATER = 1013  # RFC 6455's registry
# What sending raises once the client is gone: at first, when it was noticed, and as the library
# passes it on.
GONE = (WebSocketDisconnect, Disconnected, WebSocketDisconnected)


class Connection(BaseGraphQLTransportWSHandler[RequestContext, None]):
    """A connection of one user, closed when their token expires."""

    _expiry: asyncio.Task[None] | None = None

    async def handle(self) -> None:
        """Speak until either side ends it, or the client is gone."""
        with contextlib.suppress(*GONE):
            await super().handle()

    async def handle_task_exception(self, error: Exception) -> None:
        """Report what an operation failed of; a client that has hung up meanwhile is no news."""
        if isinstance(error, GONE):
            log.debug("a client hung up while it was sent to")
        else:
            await super().handle_task_exception(error)

    async def handle_connection_init(self, message: ConnectionInitMessage) -> None:
        """Learn who speaks before anything is acknowledged."""
        if not self.connection_init_received:
            try:
                identity = await self._identify(message.get("payload"))
            except Unauthenticated as error:
                await self.websocket.close(FORBIDDEN, error.message)
                return
            except KeysUnavailable as error:
                await self.websocket.close(TRY_LATER, str(error))
                return
            state = self._socket.app.state
            user = identity.viewer.name
            if state.presence.count(user) >= state.services.settings.subscriptions_per_user:
                await self.websocket.close(TRY_LATER, "You have too many subscriptions under way.")
                return
            self.context = context_for(self._socket, identity)
            state.presence.enter(user, self)
            self._expiry = asyncio.create_task(self._close_when_expired(identity))
        await super().handle_connection_init(message)

    async def handle_subscribe(self, message: SubscribeMessage) -> None:
        """Begin an operation, unless the user has too many under way or begins too many."""
        if self.connection_acknowledged and (reason := self._refusal()):
            errors = [GraphQLError(reason).formatted]
            await self.send_message({"id": message["id"], "type": "error", "payload": errors})
            return
        await super().handle_subscribe(message)

    async def shutdown(self) -> None:
        """End what the connection began."""
        if self._expiry:
            self._expiry.cancel()
            self._socket.app.state.presence.leave(self.context.viewer.name, self)
        await super().shutdown()

    def _refusal(self) -> str | None:
        """Why another operation is not begun now."""
        state, user = self._socket.app.state, self.context.viewer.name
        most = state.services.settings.subscriptions_per_user
        # This connection counts for one even while nothing is under way on it.
        if state.presence.count(user) - (not self.operations) >= most:
            return f"You have {most} subscriptions under way, the most there may be. End some."
        if seconds := state.rates.take(user):
            return f"You have started too many operations. Go on in {int(seconds) + 1} seconds."
        return None

    @property
    def _socket(self) -> "WebSocket":
        socket: WebSocket = self.websocket.ws  # type: ignore[attr-defined]  # of the ASGI adapter
        return socket

    async def _identify(self, payload: object) -> Identity:
        """By the payload's `Authorization`, or by the handshake's header where clients can set it.

        Raises Unauthenticated and KeysUnavailable.
        """
        authenticator: Authenticator = self._socket.app.state.authenticator
        given = _header(payload) or self._socket.headers.get("authorization")
        return await authenticator.identify(given)

    async def _close_when_expired(self, identity: Identity) -> None:
        if identity.seconds_left is None:
            return
        await asyncio.sleep(max(0, identity.seconds_left))
        with contextlib.suppress(RuntimeError, *GONE):  # it was closed meanwhile
            await self.websocket.close(FORBIDDEN, "The token has expired. Connect with a new one.")


def _header(payload: object) -> str | None:
    """The `Authorization` of a `connection_init`, however it is capitalised."""
    if not isinstance(payload, Mapping):
        return None
    values: dict[str, Any] = {str(name).lower(): value for name, value in payload.items()}
    value = values.get("authorization")
    return value if isinstance(value, str) else None
