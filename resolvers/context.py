"""What one request's resolvers work with."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import cast

from engine.push_policy import Author
from engine.services import Services
from resolvers.reads import DatabaseReads
from schema.context import Context, Info, Viewer


@dataclass(kw_only=True)
class RequestContext(Context):
    """The nouns' context, and the engine's services for the verbs."""

    services: Services


def context_of(
    services: Services, viewer: Viewer, log_url: Callable[[int], str], *, chinese: bool = False
) -> RequestContext:
    """The context of a request by `viewer`; `log_url` tells where they download a build's log."""
    reads = DatabaseReads(viewer, services, log_url)
    return RequestContext(viewer=viewer, reads=reads, services=services, chinese=chinese)


def services_of(info: Info) -> Services:
    """The engine's services."""
    return cast("RequestContext", info.context).services


def viewer_of(info: Info) -> Viewer:
    """Who asks."""
    return info.context.viewer


def author_of(info: Info) -> Author:
    """Who asks, as the push policy judges them."""
    viewer = viewer_of(info)
    return Author(viewer.name, viewer.groups, viewer.admin)
