"""A git server over HTTP for tests: `git http-backend` behind doors that each behave differently.

    python -m tests.servers.git_http <directory of repositories> <port> [<certificate> <key>]

The first part of a path is the door, the rest is the repository. Every request is printed as a line
of JSON, so that a test can ask who came, and with what.
"""

import base64
import json
import os
import ssl
import subprocess
import sys
import threading
import time
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

from tests.servers.request_body import body_of

USER, TOKEN = "oauth2", "glpat-Open_Sesame-42"
FILTERING = ("uploadpack.allowFilter", "true")
BY_SHA = ("uploadpack.allowReachableSHA1InWant", "true")
# The settings of `git upload-pack` behind each door that leads to it.
BACKENDS = {
    "public": (FILTERING, BY_SHA),
    "private": (FILTERING, BY_SHA),
    "hidden": (FILTERING, BY_SHA),
    "barred": (FILTERING, BY_SHA),
    "stall": (FILTERING, BY_SHA),
    "turncoat": (FILTERING, BY_SHA),
    "distant": (FILTERING, BY_SHA),
    "plain": (),
    "strict": (),
}
LOCK = threading.Lock()
# Behind the distant door, a line of 100 Mbit/s.
LINE = 12_500_000  # bytes a second
PIECE = 64 * 1024


class Door(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    root: Path

    def do_GET(self) -> None:
        self._serve()

    def do_POST(self) -> None:
        self._serve()

    def log_message(self, format: str, *args: object) -> None:  # noqa: A002  # the base's name
        """The lines of JSON are the log."""

    def _serve(self) -> None:
        body = body_of(self)
        self._record(body)
        _, door, *rest = self.path.split("/")
        self._door(door, "/".join(rest), body)

    def _door(self, door: str, rest: str, body: bytes) -> None:
        if door == "hang":
            threading.Event().wait()
        elif door == "web":
            self._answer(200, b"<html>Welcome</html>", {"Content-Type": "text/html"})
        elif door == "busy":
            self._answer(503)
        elif door == "moved":
            self._redirect(f"/public/{rest}")
        elif door == "loop":
            self._redirect(f"/loop/{rest}")
        elif door == "signin":
            self._redirect("/users/sign_in")
        elif door == "redirect":
            target, _, more = rest.partition("/")
            self._redirect(f"{base64.urlsafe_b64decode(target).decode()}/{more}")
        elif door == "lfs":
            self._answer(200, (self.root / "lfs" / rest).read_bytes())
        elif door not in BACKENDS:
            self._answer(404)
        else:
            self._repository(door, rest, body)

    def _repository(self, door: str, rest: str, body: bytes) -> None:
        known = self.headers.get("Authorization") == basic(USER, TOKEN)
        if door in {"private", "barred"} and not known:
            self._answer(401, headers={"WWW-Authenticate": 'Basic realm="git"'})
        elif door == "hidden" and not known:
            self._answer(404)
        elif door == "barred":
            self._answer(403)
        elif door == "turncoat" and "darkroom" not in self.headers.get("User-Agent", ""):
            self._redirect(f"/public/{rest}")
        elif rest.endswith("/info/lfs/objects/batch"):
            self._batch(rest, body)
        elif door == "stall" and b"command=fetch" in body:
            self._stall()
        else:
            self._backend(door, rest, body)

    def _stall(self) -> None:
        self.send_response(200)
        self.send_header("Content-Type", "application/x-git-upload-pack-result")
        self.end_headers()
        self.wfile.flush()
        threading.Event().wait()

    def _batch(self, rest: str, body: bytes) -> None:
        host = "169.254.169.254" if "evil" in rest else self.headers["Host"]
        objects = []
        for item in json.loads(body)["objects"]:
            oid = item["oid"]
            if (self.root / "lfs" / oid).exists():
                item["actions"] = {"download": {"href": f"http://{host}/lfs/{oid}"}}
            else:
                item["error"] = {"code": 404, "message": "Object does not exist"}
            objects.append(item)
        answer = json.dumps({"transfer": "basic", "objects": objects}).encode()
        self._answer(200, answer, {"Content-Type": "application/vnd.git-lfs+json"})

    def _backend(self, door: str, rest: str, body: bytes) -> None:
        path, _, query = rest.partition("?")
        environment = {
            "PATH": os.environ["PATH"],
            "GIT_PROJECT_ROOT": str(self.root),
            "GIT_HTTP_EXPORT_ALL": "1",
            "GIT_CONFIG_NOSYSTEM": "1",
            "GIT_CONFIG_GLOBAL": "/dev/null",
            "PATH_INFO": f"/{path}",
            "QUERY_STRING": query,
            "REQUEST_METHOD": self.command,
            "REMOTE_ADDR": self.client_address[0],
            "CONTENT_TYPE": self.headers.get("Content-Type", ""),
            "CONTENT_LENGTH": str(len(body)),
            "HTTP_CONTENT_ENCODING": self.headers.get("Content-Encoding", ""),
        }
        if door != "strict":  # the first version of the protocol gives out what it listed alone
            environment["GIT_PROTOCOL"] = self.headers.get("Git-Protocol", "")
        settings = BACKENDS[door]
        environment["GIT_CONFIG_COUNT"] = str(len(settings))
        for index, (key, value) in enumerate(settings):
            environment[f"GIT_CONFIG_KEY_{index}"] = key
            environment[f"GIT_CONFIG_VALUE_{index}"] = value
        done = subprocess.run(
            ["git", "http-backend"], input=body, env=environment, capture_output=True, check=False
        )
        self._relay(done.stdout)

    def _relay(self, output: bytes) -> None:
        head, _, content = output.partition(b"\r\n\r\n")
        lines = (line.partition(": ") for line in head.decode().splitlines())
        headers = {key: value for key, _, value in lines}
        status = int(headers.pop("Status", "200").split()[0])
        self._answer(status, content, headers)

    def _answer(
        self, status: int, content: bytes = b"", headers: dict[str, str] | None = None
    ) -> None:
        self.send_response(status)
        for key, value in (headers or {}).items():
            self.send_header(key, value)
        self.send_header("Content-Length", str(len(content)))
        self.end_headers()
        if self.path.startswith("/distant/"):
            self._send_slowly(content)
        else:
            self.wfile.write(content)

    def _send_slowly(self, content: bytes) -> None:
        start = time.monotonic()
        for at in range(0, len(content), PIECE):
            self.wfile.write(content[at : at + PIECE])
            time.sleep(max(0, start + (at + PIECE) / LINE - time.monotonic()))

    def _redirect(self, location: str) -> None:
        self._answer(302, headers={"Location": location})

    def _record(self, body: bytes) -> None:
        line = json.dumps(
            {
                "path": self.path,
                "authorization": self.headers.get("Authorization"),
                "fetch": b"command=fetch" in body,
            }
        )
        with LOCK:
            print(line, flush=True)  # noqa: T201  # the request log


def basic(user: str, token: str) -> str:
    return "Basic " + base64.b64encode(f"{user}:{token}".encode()).decode()


class Server(ThreadingHTTPServer):
    daemon_threads = True

    def handle_error(self, request: object, client_address: object) -> None:
        """A client that hangs up is part of the tests."""


def main(root: str, port: str, certificate: str | None = None, key: str | None = None) -> None:
    Door.root = Path(root)
    server = Server(("127.0.0.1", int(port)), Door)
    if certificate:
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        context.load_cert_chain(certificate, key)
        server.socket = context.wrap_socket(server.socket, server_side=True)
    server.serve_forever()


if __name__ == "__main__":
    main(*sys.argv[1:])
