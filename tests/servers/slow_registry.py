"""A door in front of a registry that can be held shut, for some kinds of requests."""

import contextlib
import http.client
import threading
from collections.abc import Iterator
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

from tests.servers.request_body import body_of

# How long a request is held at most: a test that fails must not hang the server's threads.
LONGEST = 20
_HOP_BY_HOP = {"connection", "transfer-encoding", "keep-alive"}


@dataclass(frozen=True)
class Hold:
    """One request of a method whose path has a part, the first unless told; held before the
    registry sees it, or after. `over` is set once the registry has answered it, or its sender has
    hung up."""

    method: str
    part: str
    after: bool = False
    number: int = 1
    seen: list[str] = field(default_factory=list)
    arrived: threading.Event = field(default_factory=threading.Event)
    released: threading.Event = field(default_factory=threading.Event)
    over: threading.Event = field(default_factory=threading.Event)
    lock: threading.Lock = field(default_factory=threading.Lock)

    def takes(self, method: str, path: str) -> bool:
        """Whether this is the request."""
        with self.lock:
            if method != self.method or self.part not in path:
                return False
            self.seen.append(path)
            if len(self.seen) != self.number:
                return False
            self.arrived.set()
            return True

    def wait(self) -> None:
        """Until the test lets go."""
        self.released.wait(LONGEST)


class SlowRegistry:
    """Speaks for the registry at `upstream`, as `host`."""

    def __init__(self, upstream: str) -> None:
        self.upstream = upstream
        self.host = ""
        self.holds: list[Hold] = []
        self.received = 0
        """Bytes of all requests' bodies."""

    @contextlib.contextmanager
    def holding(
        self, method: str, part: str, *, after: bool = False, number: int = 1
    ) -> Iterator[Hold]:
        """Hold what matches until the block ends."""
        hold = Hold(method, part, after, number)
        self.holds.append(hold)
        try:
            yield hold
        finally:
            hold.released.set()
            self.holds.remove(hold)


@contextlib.contextmanager
def slow_registry(upstream: str) -> Iterator[SlowRegistry]:
    """Serve on loopback until the block ends."""
    door = SlowRegistry(upstream)

    class Handler(_Handler):
        registry = door

    server = _Server(("127.0.0.1", 0), Handler)
    door.host = f"127.0.0.1:{server.server_address[1]}"
    thread = threading.Thread(target=server.serve_forever)
    thread.start()
    try:
        yield door
    finally:
        server.shutdown()
        thread.join()
        server.server_close()


class _Server(ThreadingHTTPServer):
    daemon_threads = True
    block_on_close = False

    def handle_error(self, request: object, client_address: object) -> None:
        """A client that hangs up is part of the tests."""


class _Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    registry: SlowRegistry

    def _pass_on(self) -> None:
        body = body_of(self)
        self.registry.received += len(body)
        takers = (hold for hold in self.registry.holds if hold.takes(self.command, self.path))
        hold = next(takers, None)
        if hold is None:
            self._answer(*self._ask(body))
            return
        try:
            if not hold.after:
                hold.wait()
            answer = self._ask(body)
            if hold.after:
                hold.wait()
            self._answer(*answer)
        finally:
            hold.over.set()

    def _ask(self, body: bytes) -> tuple[http.client.HTTPResponse, bytes]:
        connection = http.client.HTTPConnection(self.registry.upstream, timeout=LONGEST)
        # The registry builds its addresses from `Host`, so that they lead to this door again.
        headers = {k: v for k, v in self.headers.items() if k.lower() not in _HOP_BY_HOP}
        headers["Content-Length"] = str(len(body))
        connection.request(self.command, self.path, body, headers)
        answer = connection.getresponse()
        content = answer.read()
        connection.close()
        return answer, content

    def _answer(self, answer: http.client.HTTPResponse, content: bytes) -> None:
        self.send_response(answer.status)
        length = answer.headers.get("Content-Length") or str(len(content))
        for key, value in answer.getheaders():
            if key.lower() not in {*_HOP_BY_HOP, "content-length"}:
                self.send_header(key, value)
        self.send_header("Content-Length", length)
        self.end_headers()
        self.wfile.write(content)

    do_GET = do_HEAD = do_PUT = do_POST = do_PATCH = do_DELETE = _pass_on  # noqa: N815  # the base's names

    def log_message(self, format: str, *args: object) -> None:  # noqa: A002  # the base's name
        """Requests are not logged."""
