"""What the engine says about a registry, as failures with a code and a remedy."""

import re

from engine.docker.full_disk import full_disk
from engine.docker.wording import readable, sentence
from engine.errors import BuildFailed
from models.enums import FailureCode

_UNREACHABLE = re.compile(
    r"dial tcp|no such host|connection (?:refused|reset)|i/o timeout|TLS handshake|x509|tls: "
    r"|gave HTTP response to HTTPS|unexpected EOF|: EOF$|deadline exceeded|Client\.Timeout"
    r"|\b50[0-4] |toomanyrequests|429 Too Many",
    re.I,
)
_DENIED = re.compile(
    r"no basic auth credentials|unauthorized|authentication required|authorization failed"
    r"|insufficient_scope|\bdenied\b|403 Forbidden|incorrect username or password"
    # BuildKit asks the client for credentials, and there is no client that could be asked.
    r"|no active sessions?",
    re.I,
)
_MISSING = re.compile(r"manifest unknown|name unknown|not found|no stage or image found|404", re.I)


def is_about_registry(text: str) -> bool:
    """Whether an error text reads as a registry's answer, or the lack of one."""
    return any(pattern.search(text) for pattern in (_UNREACHABLE, _DENIED, _MISSING))


def base_failure(reference: str, text: str, step: int | None = None) -> BuildFailed:
    """Why a base image could not be had."""
    if full := full_disk(text, step):
        return full
    reason = sentence(readable(text))
    if _UNREACHABLE.search(text):
        return BuildFailed(
            FailureCode.REGISTRY_UNREACHABLE,
            f"The registry of the base image {reference} did not answer as it should: {reason}.",
            step,
        )
    if _DENIED.search(text):
        return BuildFailed(
            FailureCode.BASE_DENIED,
            f"The base image {reference} may not be pulled: it does not exist, or its registry "
            "wants an account that may read it. Check the name, or ask for access.",
            step,
        )
    if _MISSING.search(text):
        return BuildFailed(
            FailureCode.BASE_NOT_FOUND,
            f"The base image {reference} does not exist. Check its name and tag after FROM.",
            step,
        )
    return BuildFailed(
        FailureCode.INTERNAL, f"The base image {reference} could not be pulled: {reason}.", step
    )


def push_failure(reference: str, text: str) -> BuildFailed:
    """Why an image could not be pushed."""
    reason = sentence(readable(text))
    if _UNREACHABLE.search(text):
        return BuildFailed(
            FailureCode.REGISTRY_UNREACHABLE,
            f"The registry did not take {reference}: {reason}.",
        )
    if _DENIED.search(text):
        return BuildFailed(
            FailureCode.PUSH_DENIED,
            f"The registry does not let Darkroom push {reference}: {reason}. Check that the "
            "project exists, has room, and that Darkroom's account may push to it.",
        )
    return BuildFailed(FailureCode.INTERNAL, f"{reference} could not be pushed: {reason}.")
