"""What a person pastes for a repository: a clone URL, or the page that the browser shows.

GitLab, GitHub and Gitea each put the place within the repository behind the project's path:

    GitLab   /group/subgroup/project/-/tree/<tail>      (also blob, commit, tags, …)
    GitHub   /owner/project/tree/<tail>                 (also blob, commit, releases/tag, …)
    Gitea    /owner/project/src/branch/<tail>           (also tag, commit; raw, media, commits)

A tail is `<ref>/<path>`, and a branch may hold slashes itself: only the list of the server's refs
tells where it ends (`split_tail`).
"""

import ipaddress
import re
from collections.abc import Iterable
from dataclasses import dataclass
from urllib.parse import SplitResult, quote, unquote, urlsplit, urlunsplit

from engine.errors import EngineError

_TAILED = frozenset({"tree", "blob", "raw", "blame", "commits", "edit"})
_GITEA = frozenset({"src", "raw", "media", "blame", "commits"})
_GITEA_KINDS = frozenset({"branch", "tag", "commit"})
_SHA = re.compile(r"[0-9a-fA-F]{4,64}")
_SCP = re.compile(r"(?P<user>[A-Za-z0-9._][A-Za-z0-9._-]*)@(?P<host>[^/:@\s]+):(?P<path>[^\s]+)")
_LABEL = re.compile(r"(?!-)[a-z0-9_-]{1,63}(?<!-)")
_PORTS = {"http": 80, "https": 443, "ssh": 22}


class AddressRefused(EngineError):
    """The address is not one that this service fetches from; the message says why."""


@dataclass(frozen=True, slots=True)
class GitAddress:
    """A repository, and the place in it that the address points at.

    `ref` and `path` are a first reading of `tail`, right unless the ref holds a slash.
    """

    clone_url: str
    host: str
    ref: str | None = None
    path: str | None = None
    tail: str | None = None


def parse_address(url: str, *, allow_ssh: bool = False) -> GitAddress:
    """Read a clone URL or a project page's address.

    Raises AddressRefused for what is no such address, for credentials inside it, and for transports
    other than http, https and, where allowed, ssh.
    """
    text = _printable(url)
    if (scp := _SCP.fullmatch(text)) and "://" not in text:
        text = f"ssh://{scp['user']}@{scp['host']}/{scp['path'].lstrip('/')}"
    parts = _split(text)
    _check_scheme(parts.scheme, allow_ssh)
    _check_credentials(parts)
    host = _checked_host(parts)
    segments = [segment for segment in parts.path.split("/") if segment]
    if any(unquote(segment) in {".", ".."} for segment in segments):
        raise AddressRefused("The address must not hold `.` or `..` as a part of its path.")
    project, tail = _divide(segments)
    if not project:
        raise AddressRefused("The address names a server, but no repository on it.")
    quoted = "/".join(quote(unquote(segment), safe="!$&'()*+,;=:@~") for segment in project)
    origin = SplitResult(parts.scheme, _netloc(parts, host), f"/{quoted}", "", "")
    ref, _, path = (tail or "").partition("/")
    return GitAddress(urlunsplit(origin), host, ref or None, path or None, tail or None)


def split_tail(tail: str, refs: Iterable[str]) -> tuple[str, str]:
    """Divide `<ref>/<path>` by the names of the branches and tags that the server lists.

    The longest name wins; git itself allows no two of which one is the other's directory.
    Without a match the first segment is taken for the ref: a commit, or a ref that is missing.
    """
    known = set(refs)
    segments = tail.strip("/").split("/")
    for end in range(len(segments), 0, -1):
        name = "/".join(segments[:end])
        if name in known:
            return name, "/".join(segments[end:])
    return segments[0], "/".join(segments[1:])


def _printable(url: str) -> str:
    text = url.strip()
    if not text:
        raise AddressRefused("The repository's address is empty.")
    if len(text) > 2000 or any(ch.isspace() or not ch.isprintable() for ch in text):
        raise AddressRefused("The address holds spaces or control characters, or is too long.")
    if text.startswith("-"):
        raise AddressRefused("This is an option of a program, not the address of a repository.")
    return text


def _split(text: str) -> SplitResult:
    if "://" not in text:
        raise AddressRefused(
            "The address must begin with https:// (or http://), as the browser shows it."
        )
    try:
        parts = urlsplit(text)
        _ = parts.port  # a port that is no number is found on access
    except ValueError:
        raise AddressRefused("The address cannot be read: check its host and port.") from None
    return parts


def _check_scheme(scheme: str, allow_ssh: bool) -> None:
    if scheme == "ssh":
        if not allow_ssh:
            raise AddressRefused(
                "This service does not fetch over ssh: use the https:// address, "
                "with tokenName and token if the repository is private."
            )
    elif scheme not in {"http", "https"}:
        raise AddressRefused("Only http:// and https:// addresses can be fetched from.")


def _check_credentials(parts: SplitResult) -> None:
    user_alone = parts.scheme == "ssh" and parts.password is None
    if "@" in parts.netloc and not user_alone:
        raise AddressRefused(
            "The address holds a user name or password. Take it out, "
            "and give it as tokenName and token: there it is kept sealed."
        )
    if parts.username and not re.fullmatch(r"[A-Za-z0-9._][A-Za-z0-9._-]*", parts.username):
        raise AddressRefused("The address holds a user name that cannot be used.")


def _checked_host(parts: SplitResult) -> str:
    """The host in one spelling: lower case, IDNA, without the final dot."""
    host = parts.hostname or ""
    try:
        return str(ipaddress.ip_address(host))
    except ValueError:
        pass
    try:
        host = host.rstrip(".").encode("idna").decode("ascii").lower()
    except UnicodeError:
        host = ""
    labels = host.split(".")
    if len(host) > 253 or not all(_LABEL.fullmatch(label) for label in labels):
        raise AddressRefused("The address has no valid host name.")
    # Resolvers and curl read 2130706433, 0x7f.1 and 127.1 as IPv4 addresses; nobody means them.
    if labels[-1].isdigit() or re.fullmatch(r"0x[0-9a-f]*", labels[-1]):
        raise AddressRefused(
            "The address has no valid host name: write an IPv4 address as a.b.c.d."
        )
    return host


def _netloc(parts: SplitResult, host: str) -> str:
    shown = f"[{host}]" if ":" in host else host
    user = f"{parts.username}@" if parts.username else ""
    port = "" if parts.port in {None, _PORTS[parts.scheme]} else f":{parts.port}"
    return user + shown + port


def _divide(segments: list[str]) -> tuple[list[str], str | None]:
    """The project's path, as a clone URL has it, and what a page's address says behind it."""
    for index, segment in enumerate(segments):
        if segment.endswith(".git") and segment != ".git":
            return segments[: index + 1], _tail(segments[index + 1 :])
        if segment == "-" and index > 0:
            return _as_clone(segments[:index]), _tail(segments[index:])
        if index >= 2 and (tail := _tail(segments[index:])) is not None:
            return _as_clone(segments[:index]), tail
    return segments, None


def _as_clone(project: list[str]) -> list[str]:
    # Every forge that has such pages serves the repository under this name without a redirect.
    return [*project[:-1], project[-1] + ".git"]


def _tail(segments: list[str]) -> str | None:
    """`<ref>/<path>` if `segments` are one of the shapes above, unquoted as git has the names."""
    rest = segments[1:] if segments[:1] == ["-"] else segments
    match rest:
        case [marker, kind, _, *_] if marker in _GITEA and kind in _GITEA_KINDS:
            tail = rest[2:]
        case [marker, _, *_] if marker in _TAILED:
            tail = rest[1:]
        case ["commit", sha, *_] if _SHA.fullmatch(sha):
            tail = [sha]
        case ["releases", "tag", _, *_]:
            tail = rest[2:]
        case ["tags", _, *_] if rest is not segments:
            tail = rest[1:]
        case _:
            return None
    return unquote("/".join(tail))
