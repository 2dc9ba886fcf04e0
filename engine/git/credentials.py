"""How a token reaches a git server without lying about on the way.

Git is told to include one more configuration file, `/proc/self/fd/<n>`: an anonymous file in memory
(memfd) which git and its children inherit, holding one `Authorization` header for one origin.

Why so, of all ways:
- arguments and environments are readable in /proc and end in process listings and crash reports;
- a file, even 0600 in a private directory, survives a worker that is killed;
- `credential-cache` is one more process that keeps the token, behind a socket that must be removed;
- a pipe can be read once, but git and its transport helper each read their configuration;
- a credential helper is a shell script, and speaks a line protocol that a line break breaks out of.
A memfd has no name, is gone with the last process that holds it, and only readers of those
processes' memory can open it. The header is in base64, so nothing in a token can break the quoting.
"""

import base64
import contextlib
import os
from collections.abc import Iterator
from dataclasses import dataclass, field

from engine.errors import BuildFailed
from engine.git.guard import Endpoint
from models.enums import FailureCode

DEFAULT_NAME = "oauth2"
"""What GitLab and Gitea accept beside any token, and GitHub ignores."""


@dataclass(frozen=True, slots=True)
class Credentials:
    """A user name and a token, for HTTP's Basic scheme (RFC 7617)."""

    name: str
    token: str = field(repr=False)

    @classmethod
    def of(cls, name: str | None, token: str | None) -> "Credentials | None":
        """None without a token. Raises BuildFailed GIT_AUTH for what Basic cannot carry."""
        if not token:
            return None
        name = name or DEFAULT_NAME
        if ":" in name or not name.isprintable() or not token.isprintable():
            raise BuildFailed(
                FailureCode.GIT_AUTH,
                "The token, or its name, holds characters that none can have: copy it again.",
            )
        return cls(name, token)

    @property
    def header(self) -> str:
        """The value of `Authorization`."""
        pair = base64.b64encode(f"{self.name}:{self.token}".encode())
        return f"Basic {pair.decode()}"

    def redact(self, text: str) -> str:
        """The text without the token, in either form."""
        return text.replace(self.token, "***").replace(self.header.removeprefix("Basic "), "***")


@contextlib.contextmanager
def handed_over(credentials: Credentials | None, endpoint: Endpoint) -> Iterator[int | None]:
    """A file descriptor for git's children to inherit, with the configuration described above."""
    if credentials is None:
        yield None
        return
    host = f"[{endpoint.host}]" if ":" in endpoint.host else endpoint.host
    origin = f"{endpoint.scheme}://{host}:{endpoint.port}/"
    descriptor = os.memfd_create("git-config")
    try:
        text = f'[http "{origin}"]\n\textraHeader = "Authorization: {credentials.header}"\n'
        os.write(descriptor, text.encode())
        yield descriptor
    finally:
        os.close(descriptor)
