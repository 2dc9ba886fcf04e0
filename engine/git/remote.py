"""Finding the repository: the first question of git's smart HTTP protocol, asked by ourselves.

`GET <url>/info/refs?service=git-upload-pack` (gitprotocol-http(5)) tells in one round trip whether
there is a repository, whether the token opens it, and where it has moved. Asking it here lets every
redirect be checked before anyone connects to it, and gives exact reasons where git has one line.
"""

import ipaddress
from dataclasses import dataclass, field
from urllib.parse import urljoin

import aiohttp

from engine.errors import BuildFailed
from engine.git import failures
from engine.git.address import AddressRefused, parse_address
from engine.git.credentials import Credentials
from engine.git.guard import Endpoint, admit
from engine.git.http import pinned_session
from engine.git.policy import GitPolicy
from models.enums import FailureCode

_QUESTION = "/info/refs"
_SERVICE = "?service=git-upload-pack"
_ANSWER = "application/x-git-upload-pack-advertisement"
_REDIRECTS = frozenset({301, 302, 303, 307, 308})
_MOST_REDIRECTS = 5


@dataclass(frozen=True, slots=True)
class Remote:
    """A repository that answered: its final address, and the credentials that may go there."""

    url: str
    endpoint: Endpoint
    credentials: Credentials | None = field(repr=False)
    filters: bool
    """Whether the server leaves out objects when asked to (partial clone)."""


async def reach(url: str, credentials: Credentials | None, policy: GitPolicy) -> Remote:
    """Find a repository by a clone URL, following redirects that stand up to the guard.

    Raises AddressRefused, and BuildFailed GIT_AUTH, GIT_NOT_FOUND or GIT_UNREACHABLE.
    """
    try:
        return await _follow(url, credentials, policy)
    except BuildFailed as failure:
        if failure.code is not FailureCode.GIT_NOT_FOUND or url.endswith(".git"):
            raise
        # A page's address lacks the suffix that some servers insist on.
        try:
            return await _follow(url + ".git", credentials, policy)
        except BuildFailed:
            raise failure from None


async def _follow(url: str, credentials: Credentials | None, policy: GitPolicy) -> Remote:
    endpoint = await admit(url, policy)
    for _ in range(_MOST_REDIRECTS):
        _check_plain(endpoint, credentials, policy)
        if endpoint.scheme == "ssh":
            return Remote(url, endpoint, None, filters=False)
        answer = await _ask(url, endpoint, credentials, policy)
        if answer.location is None:
            return Remote(url, endpoint, credentials, answer.filters)
        url = _moved(url, answer.location)
        previous, endpoint = endpoint, await admit(url, policy)
        if previous.scheme == "https" and endpoint.scheme == "http":
            raise AddressRefused("The address leads on from https to http, which is not followed.")
        if not _same_owner(previous, endpoint):
            credentials = None
    raise AddressRefused("The address leads from one to the next without end.")


@dataclass(frozen=True, slots=True)
class _Answer:
    location: str | None = None
    filters: bool = False


async def _ask(
    url: str, endpoint: Endpoint, credentials: Credentials | None, policy: GitPolicy
) -> _Answer:
    headers = {"Git-Protocol": "version=2"}
    if credentials:
        headers["Authorization"] = credentials.header
    timeout = aiohttp.ClientTimeout(total=policy.connect_seconds)
    try:
        async with (
            pinned_session(endpoint, policy, timeout) as session,
            session.get(
                url + _QUESTION + _SERVICE, headers=headers, allow_redirects=False
            ) as response,
        ):
            return await _read(response, endpoint, credentials)
    except TimeoutError:
        detail = f"no answer in {policy.connect_seconds:g} seconds"
    except aiohttp.ClientConnectorCertificateError:
        detail = "its certificate is not trusted here"
    except aiohttp.ClientSSLError:
        detail = "no TLS connection can be made"
    except aiohttp.ClientConnectorError:
        detail = "no connection can be made"
    except aiohttp.ClientError:
        detail = "its answer is not HTTP, or broke off"
    raise failures.unreachable(endpoint.host, detail)


async def _read(
    response: aiohttp.ClientResponse, endpoint: Endpoint, credentials: Credentials | None
) -> _Answer:
    location = response.headers.get("Location")
    if response.status in _REDIRECTS and location:
        return _Answer(location=location)
    if response.status != 200:
        raise _failure(response.status, endpoint.host, credentials is not None)
    if response.content_type != _ANSWER:
        raise BuildFailed(
            FailureCode.GIT_NOT_FOUND,
            "There is no git repository at this address: the server answers with something else, "
            "such as a web page. Use the project page's address, or its clone URL.",
        )
    # The capabilities stand at the beginning, in either version of the protocol.
    beginning = await response.content.read(1 << 16)
    words = beginning.replace(b"\0", b" ").replace(b"=", b" ").split()
    return _Answer(filters=b"filter" in words)


def _failure(status: int, host: str, with_token: bool) -> BuildFailed:
    match status, with_token:
        case 401, True:
            return BuildFailed(FailureCode.GIT_AUTH, failures.REFUSED)
        case 403, True:
            return BuildFailed(FailureCode.GIT_AUTH, failures.BARRED)
        case ((401 | 403), False):
            return BuildFailed(FailureCode.GIT_AUTH, failures.MISSING_OR_PRIVATE)
        case ((404 | 410), True):
            return BuildFailed(FailureCode.GIT_NOT_FOUND, failures.MISSING_OR_BARRED)
        case ((404 | 410), False):
            return BuildFailed(FailureCode.GIT_NOT_FOUND, failures.MISSING_OR_PRIVATE)
    if status in {408, 425, 429} or status >= 500:
        return failures.unreachable(host, f"it answers with HTTP status {status}")
    return BuildFailed(
        FailureCode.GIT_NOT_FOUND, f"The server refuses this address with HTTP status {status}."
    )


def _moved(url: str, location: str) -> str:
    """The repository's new address, if the redirect is one that git itself would follow."""
    target = urljoin(url + _QUESTION, location)
    base, found, _ = target.partition(_QUESTION)
    if not found:
        raise BuildFailed(FailureCode.GIT_NOT_FOUND, failures.MISSING_OR_PRIVATE)
    return parse_address(base).clone_url


def _same_owner(old: Endpoint, new: Endpoint) -> bool:
    """A token goes along to the same origin, and from a host's http to its https."""
    upgraded = (old.scheme, old.port, new.scheme, new.port) == ("http", 80, "https", 443)
    return old.host == new.host and (old.origin == new.origin or upgraded)


def _check_plain(endpoint: Endpoint, credentials: Credentials | None, policy: GitPolicy) -> None:
    """Over http a token is everybody's on the way; within the machine there is no way."""
    if credentials is None or endpoint.scheme != "http" or policy.allow_plain_tokens:
        return
    if not all(ipaddress.ip_address(address).is_loopback for address in endpoint.addresses):
        raise BuildFailed(
            FailureCode.GIT_AUTH,
            "Over http:// anyone on the way can read the token: use the https:// address.",
        )
