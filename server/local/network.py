"""A network of its own for one engine's containers: a bridge, an unused subnet, a way out.

The way out is three firewall rules that carry the bridge's name. An engine that looks after the
firewall itself would flush the chains that another engine on the machine has filled.
"""

import contextlib
import hashlib
import ipaddress
import json
import shlex
import subprocess
from collections.abc import Iterator
from pathlib import Path
from typing import Any

# Where Docker takes its own networks from: who runs containers has no servers there.
_POOL = ipaddress.IPv4Network("172.16.0.0/12")
_ETHERNET_MTU = 1500
_CHAINS = (("nat", "POSTROUTING"), ("filter", "FORWARD"))


@contextlib.contextmanager
def bridge(name: str) -> Iterator[None]:
    """A bridge called `name` (at most 15 characters) whose containers reach what the machine does.

    What an earlier one of this name left is removed first. Raises CalledProcessError, with the
    reason in `stderr`, where the machine does not allow it.
    """
    remove_bridge(name)
    subnet = _unused_subnet(name)
    try:
        _ip("link", "add", name, "mtu", str(mtu()), "type", "bridge")
        _ip("address", "add", f"{subnet[1]}/{subnet.prefixlen}", "dev", name)
        _ip("link", "set", name, "up")
        _let_out(name, subnet)
        yield
    finally:
        remove_bridge(name)


def remove_bridge(name: str) -> None:
    """Remove a bridge and its rules; quiet when there is none."""
    for table, chain in _CHAINS:
        for rule in _iptables(table, "-S", chain).splitlines():
            parts = shlex.split(rule)
            if name in parts and parts[0] == "-A":
                _iptables(table, "-D", *parts[1:])
    for port in Path("/sys/class/net", name).glob("brif/*"):
        # A container's cable stays in its socket when an engine is killed.
        _ip("link", "delete", port.name)
    if Path("/sys/class/net", name).exists():
        _ip("link", "delete", name)


def mtu() -> int:
    """The largest packet that the machine's way out takes, which containers must not exceed."""
    defaults = json.loads(_ip("-json", "route", "show", "default") or "[]")
    sizes = [_mtu_of(route["dev"]) for route in defaults if "dev" in route]
    return min(sizes, default=_ETHERNET_MTU)


def _let_out(name: str, subnet: ipaddress.IPv4Network) -> None:
    ours = ("-m", "comment", "--comment", name)
    answers = ("-m", "conntrack", "--ctstate", "RELATED,ESTABLISHED")
    _iptables(
        "nat", "-A", "POSTROUTING", "-s", str(subnet), "!", "-o", name, *ours, "-j", "MASQUERADE"
    )
    # In front: another engine may have made "drop" the rule for everything it does not know.
    _iptables("filter", "-I", "FORWARD", "-i", name, *ours, "-j", "ACCEPT")
    _iptables("filter", "-I", "FORWARD", "-o", name, *answers, *ours, "-j", "ACCEPT")


def _unused_subnet(name: str) -> ipaddress.IPv4Network:
    """A /24 that no route of the machine leads to.

    The search begins at a place that the name decides, so that two engines that start at the same
    moment do not choose the same one.
    """
    taken = list(_networks(json.loads(_ip("-json", "-4", "route", "show", "table", "all"))))
    candidates = list(_POOL.subnets(new_prefix=24))
    start = int.from_bytes(hashlib.sha256(name.encode()).digest()[:4]) % len(candidates)
    for subnet in candidates[start:] + candidates[:start]:
        if not any(subnet.overlaps(other) for other in taken):
            return subnet
    raise OSError(f"Every subnet of {_POOL} is in use on this machine.")


def _networks(routes: list[dict[str, Any]]) -> Iterator[ipaddress.IPv4Network]:
    for route in routes:
        if route["dst"] != "default":
            yield ipaddress.IPv4Network(route["dst"], strict=False)


def _mtu_of(device: str) -> int:
    return int(Path("/sys/class/net", device, "mtu").read_text())


def _ip(*arguments: str) -> str:
    return _run("ip", *arguments)


def _iptables(table: str, *arguments: str) -> str:
    # Others change the firewall too: -w waits for its lock.
    return _run("iptables", "-w", "-t", table, *arguments)


def _run(*command: str) -> str:
    return subprocess.run(command, check=True, capture_output=True, text=True).stdout
