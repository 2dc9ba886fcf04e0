"""Keeps git sources from reaching what only the worker itself can reach.

Whoever names a repository makes the worker connect somewhere. Loopback, link-local addresses and a
cloud's metadata service are refused, under every spelling of theirs. Private networks are allowed:
that is where an intranet's GitLab lives (`GitPolicy.hosts` narrows it further).

A name is resolved once, all its addresses are checked, and the connection goes to these addresses
alone: a name that resolves to something else a moment later (DNS rebinding) changes nothing.
"""

import fnmatch
import ipaddress
import socket
from collections.abc import Iterator
from dataclasses import dataclass
from urllib.parse import urlsplit

from engine.errors import BuildFailed
from engine.git.address import AddressRefused
from engine.git.policy import GitPolicy
from models.enums import FailureCode

Ip = ipaddress.IPv4Address | ipaddress.IPv6Address

METADATA = frozenset(
    ipaddress.ip_address(text)
    for text in (
        "169.254.169.254",  # AWS, Azure, Google, OpenStack
        "fd00:ec2::254",  # AWS over IPv6
        "fd20:ce::254",  # Google over IPv6
        "100.100.100.200",  # Alibaba
        "168.63.129.16",  # Azure's wire server
        "192.0.0.192",  # Oracle
    )
)
_NAT64 = ipaddress.ip_network("64:ff9b::/96")
_COMPATIBLE = ipaddress.ip_network("::/96")
_THIS_NETWORK = ipaddress.ip_network("0.0.0.0/8")
_DEFAULT_PORTS = {"http": 80, "https": 443, "ssh": 22}


@dataclass(frozen=True, slots=True)
class Endpoint:
    """A server whose addresses were checked; connect to these and to no others."""

    scheme: str
    host: str
    port: int
    addresses: tuple[str, ...]

    @property
    def origin(self) -> tuple[str, str, int]:
        """What must be equal for a secret to be sent along (RFC 6454)."""
        return self.scheme, self.host, self.port

    @property
    def pin(self) -> str:
        """For curl's CURLOPT_RESOLVE: `host:port:address,address`."""
        listed = ",".join(f"[{a}]" if ":" in a else a for a in self.addresses)
        host = f"[{self.host}]" if ":" in self.host else self.host
        return f"{host}:{self.port}:{listed}"


async def admit(url: str, policy: GitPolicy) -> Endpoint:
    """Resolve the host of a URL, once, and check where it leads.

    Raises AddressRefused; BuildFailed GIT_NOT_FOUND for a name that does not exist and
    GIT_UNREACHABLE when the resolver does not answer.
    """
    parts = urlsplit(url)
    host = parts.hostname or ""
    port = parts.port or _DEFAULT_PORTS[parts.scheme]
    if policy.hosts and not any(fnmatch.fnmatchcase(host, p.lower()) for p in policy.hosts):
        raise AddressRefused(
            f"This service does not fetch from {host}: its operator allows other hosts."
        )
    addresses = await _resolve(host, port, policy)
    for address in addresses:
        check_address(address, policy)
    return Endpoint(parts.scheme, host, port, tuple(addresses))


def check_address(address: str, policy: GitPolicy) -> None:
    """Raise AddressRefused for an IP address that no repository is fetched from."""
    for ip in _meanings(ipaddress.ip_address(address.partition("%")[0])):
        if ip.is_loopback and policy.allow_loopback:
            continue
        if reason := _refusal(ip):
            raise AddressRefused(f"This service does not fetch from there: the host is {reason}.")


async def _resolve(host: str, port: int, policy: GitPolicy) -> list[str]:
    try:
        return [str(ipaddress.ip_address(host))]
    except ValueError:
        pass
    try:
        addresses = await policy.lookup(host, port)
    except socket.gaierror as error:
        if error.errno in {socket.EAI_NONAME, socket.EAI_NODATA}:
            raise BuildFailed(
                FailureCode.GIT_NOT_FOUND, f"There is no server named {host}: check the address."
            ) from None
        addresses = []
    except OSError:
        addresses = []
    if not addresses:
        raise BuildFailed(FailureCode.GIT_UNREACHABLE, f"The name {host} cannot be resolved now.")
    return addresses


def _meanings(ip: Ip) -> Iterator[Ip]:
    """An address, and the IPv4 addresses that a gateway may take it for."""
    yield ip
    if isinstance(ip, ipaddress.IPv4Address):
        return
    if ip.ipv4_mapped:
        yield ip.ipv4_mapped
    if ip.sixtofour:
        yield ip.sixtofour
    if ip.teredo:
        yield ip.teredo[1]
    if ip in _NAT64 or (ip in _COMPATIBLE and int(ip) > 1):
        yield ipaddress.IPv4Address(int(ip) & 0xFFFFFFFF)


def _refusal(ip: Ip) -> str | None:
    if ip in METADATA:
        return "a cloud's metadata service"
    if ip.is_loopback:
        return "the service's own machine (loopback)"
    if ip.is_link_local:
        return "a link-local address"
    if ip.is_multicast:
        return "a multicast address"
    if ip.is_unspecified or (ip.version == 4 and ip in _THIS_NETWORK):
        return "an unspecified address"
    if ip.version == 4 and ip.is_reserved:
        return "a reserved address"
    return None
