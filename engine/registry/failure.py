"""Turns what went wrong on the wire into this package's errors, in words that help."""

import contextlib
import email.utils
import json
import time
from datetime import UTC

import aiohttp

from engine.registry.access import Access
from engine.registry.errors import (
    RegistryDenied,
    RegistryError,
    RegistryNotFound,
    RegistryProtocolError,
    RegistryUnreachable,
)

_BODY_LIMIT = 64 * 1024
_REASON_LIMIT = 300
"""Characters of a registry's own words that are passed on."""


async def read_limited(response: aiohttp.ClientResponse, limit: int, who: str) -> bytes:
    """The whole body, which may have `limit` bytes; raises RegistryProtocolError beyond."""
    body = bytearray()
    async for chunk in response.content.iter_any():
        body += chunk
        if len(body) > limit:
            raise RegistryProtocolError(f"{who} answered with more than {limit} bytes.")
    return bytes(body)


async def read_reason(response: aiohttp.ClientResponse) -> str:
    """The registry's own words for a refusal: `CODE: message`, or nothing."""
    with contextlib.suppress(
        aiohttp.ClientError, TimeoutError, RegistryProtocolError, ValueError, LookupError, TypeError
    ):
        first = json.loads(await read_limited(response, _BODY_LIMIT, ""))["errors"][0]
        parts = [str(first[key]) for key in ("code", "message") if first.get(key)]
        return " ".join(": ".join(parts).split())[:_REASON_LIMIT]
    return ""


def refusal(
    response: aiohttp.ClientResponse,
    host: str,
    access: Access,
    username: str | None,
    reason: str,
) -> RegistryError:
    """The error for an answer with a status of 400 or more."""
    because = f" ({reason})" if reason else ""
    status = response.status
    if status == 404:
        return RegistryNotFound(f"{host} has no {access.what}{because}.")
    if status in {401, 403}:
        return RegistryDenied(_denial(host, access, username) + because + ".")
    if status == 429:
        wait = _retry_after(response)
        advice = f"; it asks to wait {wait:.0f} seconds" if wait else ""
        return RegistryUnreachable(
            f"{host} has had too many requests, the last for {access.what}{advice}{because}.", wait
        )
    if status >= 500:
        return RegistryUnreachable(
            f"{host} failed with status {status} on {access.what}{because}.",
            _retry_after(response),
        )
    return RegistryProtocolError(
        f"{host} refused {response.method} of {access.what} with status {status}{because}."
    )


def broken_connection(who: str, error: aiohttp.ClientError | TimeoutError) -> RegistryError:
    """The error for a connection that failed or an answer that never came."""
    match error:
        case aiohttp.ClientConnectorCertificateError():
            return RegistryUnreachable(
                f"The certificate of {who} is not trusted: {error.certificate_error}. "
                "Add its authority to this machine's trusted certificates."
            )
        case aiohttp.ClientConnectorSSLError():
            return RegistryUnreachable(
                f"{who} does not speak TLS; if it serves plain http, declare it insecure."
            )
        case aiohttp.TooManyRedirects() | aiohttp.InvalidURL():
            return RegistryProtocolError(f"{who} redirects to nowhere.")
        case TimeoutError():
            return RegistryUnreachable(f"{who} did not answer in time.")
        case aiohttp.ClientConnectorError():
            reason = error.os_error.strerror or str(error.os_error)
            return RegistryUnreachable(f"{who} cannot be reached: {reason}.", retry_after=0)
        case _:
            return RegistryUnreachable(f"{who} broke off the connection.", retry_after=0)


def _denial(host: str, access: Access, username: str | None) -> str:
    if username is None:
        return f"{host} asks for a login to {access.verb} {access.what}"
    # Registries deny what is private and what is missing alike, so as not to tell which it is.
    missing = ", or it does not exist" if access.verb == "pull" else ""
    return f"{host} does not let `{username}` {access.verb} {access.what}{missing}"


def _retry_after(response: aiohttp.ClientResponse) -> float:
    """Seconds, from either form of `Retry-After` (RFC 9110, section 10.2.3); 0 without one."""
    header = response.headers.get("Retry-After", "")
    if header.isascii() and header.isdigit():
        return float(header)
    try:
        when = email.utils.parsedate_to_datetime(header)
    except ValueError:
        return 0
    return max(0.0, (when if when.tzinfo else when.replace(tzinfo=UTC)).timestamp() - time.time())
