"""A login, and the places that it may be sent to."""

import base64
import ipaddress
from dataclasses import dataclass, field

from yarl import URL


@dataclass(frozen=True, slots=True)
class Credentials:
    """A user of a registry, or a robot account of Harbor."""

    username: str
    password: str = field(repr=False)

    @property
    def basic(self) -> str:
        """The value of an `Authorization` header (RFC 7617, UTF-8)."""
        pair = f"{self.username}:{self.password}".encode()
        return f"Basic {base64.b64encode(pair).decode()}"


def is_loopback(host: str | None) -> bool:
    """Whether `host`, without a port, is this machine itself."""
    if host == "localhost":
        return True
    try:
        return ipaddress.ip_address(host or "").is_loopback
    except ValueError:
        return False


def is_confidential(url: URL) -> bool:
    """Whether nobody on the way can read what is sent to `url`."""
    return url.scheme == "https" or is_loopback(url.host)
