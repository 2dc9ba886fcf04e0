"""What an operator allows git sources to do, and how long and how large they may be."""

import asyncio
import socket
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from pathlib import Path

Lookup = Callable[[str, int], Awaitable[list[str]]]
"""From a host's name and a port to its IP addresses, as text. Raises OSError."""


async def system_lookup(host: str, port: int) -> list[str]:
    """Ask the system's resolver. Raises socket.gaierror."""
    loop = asyncio.get_running_loop()
    found = await loop.getaddrinfo(host, port, type=socket.SOCK_STREAM)
    return list(dict.fromkeys(str(entry[4][0]) for entry in found))


@dataclass(frozen=True, slots=True, kw_only=True)
class GitPolicy:
    """Rules for every git source of this service; times are seconds, sizes are bytes."""

    allow_loopback: bool = False
    """Fetch from the machine that the worker runs on: for trying, never for a shared service."""
    hosts: tuple[str, ...] = ()
    """Patterns such as `gitlab.example.com` and `*.example.com`; none: any host."""
    allow_ssh: bool = False
    """Accept ssh addresses; the worker's own key and known hosts are used."""
    allow_plain_tokens: bool = False
    """Send tokens over http, where everyone on the way can read them."""
    submodules: bool = False
    lfs: bool = False
    ca_file: Path | None = None
    """Certificates of the authorities to trust instead of the system's (PEM)."""
    max_bytes: int = 4 * 1024**3
    """Of what is transferred, and of the working tree."""
    max_files: int = 1_000_000
    check_seconds: float = 5
    """For looking at the input while the user waits."""
    connect_seconds: float = 15
    """For one answer of the server before anything large is asked of it."""
    stall_seconds: float = 60
    """Without a byte from the server."""
    timeout: float = 1800
    """For everything together."""
    lookup: Lookup = system_lookup
