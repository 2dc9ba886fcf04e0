"""What a request carries, which the standard library's HTTP server leaves to be read."""

from http.server import BaseHTTPRequestHandler


def body_of(request: BaseHTTPRequestHandler) -> bytes:
    """The whole body, however its length is told."""
    if request.headers.get("Transfer-Encoding") != "chunked":
        return request.rfile.read(int(request.headers.get("Content-Length") or 0))
    body = b""
    while size := int(request.rfile.readline(), 16):
        body += request.rfile.read(size)
        request.rfile.readline()
    request.rfile.readline()
    return body
