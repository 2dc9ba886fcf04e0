"""HTTP/1.1 with limits that uvicorn does not have: on the size of headers, and on their time."""

import asyncio
from typing import Any

from uvicorn.protocols.http.httptools_impl import STATUS_LINE, HttpToolsProtocol

from settings import Settings


class Limited(HttpToolsProtocol):
    """A connection whose requests must announce themselves in time, and briefly."""

    settings: Settings
    _head = 0  # bytes of headers so far
    _waiting: asyncio.TimerHandle | None = None

    def connection_made(self, transport: asyncio.Transport) -> None:  # type: ignore[override]
        """The first request is awaited from now on."""
        super().connection_made(transport)
        self._await_head()

    def connection_lost(self, exc: Exception | None) -> None:
        """Nothing is awaited any more."""
        self._stop_waiting()
        super().connection_lost(exc)

    def data_received(self, data: bytes) -> None:
        """Count what comes while headers are being read."""
        if self._waiting:
            self._head += len(data)
        super().data_received(data)
        if self._waiting and self._head > self.settings.header_bytes:
            self._refuse(431)

    def on_message_begin(self) -> None:
        """Another request on the same connection."""
        super().on_message_begin()
        if not self._waiting:
            self._await_head()

    def on_headers_complete(self) -> None:
        """They are all there. When they came at once, only now are they known to be too many."""
        self._stop_waiting()
        size = sum(len(name) + len(value) + 4 for name, value in self.headers) + len(self.url)
        if size > self.settings.header_bytes:
            self._refuse(431)
            return
        super().on_headers_complete()

    def on_body(self, body: bytes) -> None:
        """What follows refused headers is nothing."""
        if not self.transport.is_closing():
            super().on_body(body)

    def on_message_complete(self) -> None:
        """The same."""
        if not self.transport.is_closing():
            super().on_message_complete()

    def _await_head(self) -> None:
        self._head = 0
        self._waiting = self.loop.call_later(self.settings.request_seconds, self._refuse, 408)

    def _stop_waiting(self) -> None:
        if self._waiting:
            self._waiting.cancel()
            self._waiting = None

    def _refuse(self, status: int) -> None:
        """Say why and close; there is no request yet that an application could answer."""
        self._stop_waiting()
        if not self.transport.is_closing():
            self.transport.write(STATUS_LINE[status] + b"connection: close\r\n")
            self.transport.write(b"content-length: 0\r\n\r\n")
            self.transport.close()


def limited(given: Settings) -> type[asyncio.Protocol]:
    """The protocol with the limits of these settings, for uvicorn's `http`."""

    class Protocol(Limited):
        settings = given

    found: Any = Protocol
    return found  # type: ignore[no-any-return]  # uvicorn asks for a class of protocols
