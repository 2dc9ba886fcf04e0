"""Refusing requests by a name that is not the service's own, where everybody is trusted.

A page may give its own name this machine's address once it is loaded (DNS rebinding). To the
browser it then asks its own server; only the name in `Host` tells. Such a name is a public one,
so it has a dot, and is no address.
"""

import ipaddress

from starlette.datastructures import Headers
from starlette.responses import PlainTextResponse
from starlette.types import ASGIApp, Receive, Scope, Send
from starlette.websockets import WebSocketClose

from settings import Settings


class KnownHosts:
    """Passes on what names an address, a name without a dot, or an allowed one."""

    def __init__(self, app: ASGIApp, settings: Settings) -> None:
        self._app = app
        self._allowed = {name.lower() for name in settings.allowed_hosts}

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Pass on, or answer 421."""
        if scope["type"] not in ("http", "websocket") or self._is_known(Headers(scope=scope)):
            await self._app(scope, receive, send)
        elif scope["type"] == "websocket":
            await WebSocketClose(1008)(scope, receive, send)
        else:
            message = (
                "This name is not known to be the service's. With DARKROOM_AUTH=local, other names "
                "than `localhost` and addresses must stand in DARKROOM_ALLOWED_HOSTS.\n"
            )
            await PlainTextResponse(message, 421)(scope, receive, send)

    def _is_known(self, headers: Headers) -> bool:
        name = _name(headers.get("host", ""))
        return "." not in name or name in self._allowed or _is_address(name) or _is_local(name)


def _is_local(name: str) -> bool:
    return name.endswith((".localhost", ".local", ".internal"))  # RFC 6761, RFC 6762, ICANN


def _is_address(name: str) -> bool:
    try:
        ipaddress.ip_address(name)
    except ValueError:
        return False
    return True


def _name(host: str) -> str:
    """A `Host` header without its port."""
    if host.startswith("["):
        return host[1:].partition("]")[0]
    return host.rpartition(":")[0].lower() if ":" in host else host.lower()
