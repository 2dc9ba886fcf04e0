"""Lines of the audit log for what is no operation: refused requests, and downloads."""

import json
import logging

from starlette.types import Scope

from server.authentication import IDENTITY, Identity

log = logging.getLogger("darkroom.audit")


def refused(scope: Scope, status: int) -> None:
    """A request whose operation was not even looked at."""
    identity: Identity | None = scope.get(IDENTITY)
    name = identity.viewer.name if identity else ""
    log.info("user=%s from=%s outcome=%s", json.dumps(name), _client(scope), _quoted(status))


def downloaded(scope: Scope, identity: Identity, build_id: int, status: int) -> None:
    """A log that was asked for."""
    name = json.dumps(identity.viewer.name)
    log.info(
        "user=%s from=%s download=%s outcome=%s",
        name,
        _client(scope),
        _quoted(f"log of build {build_id}"),
        _quoted(status),
    )


def _client(scope: Scope) -> str:
    client = scope.get("client")
    return _quoted(client[0] if client else "")


def _quoted(value: object) -> str:
    return json.dumps(str(value))
