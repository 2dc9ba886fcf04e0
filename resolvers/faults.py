"""Whose fault an error is: the request's, the code's, or the database's."""

import logging

from graphql import GraphQLError
from strawberry.extensions import MaskErrors

from engine.errors import EngineError
from models.troubles import is_away, is_full

log = logging.getLogger(__name__)

_MASKED = "Darkroom itself failed. Ask an administrator to look at the server's log."
_FULL = "The database's disk is full. Ask an administrator to make room on it, and try again."
_AWAY = (
    "The database does not answer. Try again in a minute; if it stays so, ask an administrator to "
    "look at it."
)


def is_ours(error: GraphQLError) -> bool:
    """Whether an error came out of the code, rather than out of the request."""
    original = error.original_error
    if original is None or isinstance(original, EngineError | GraphQLError):
        return False
    # Validation tells what it cannot read, and where; what failed while running has a path.
    return error.path is not None or not error.nodes


def of_database(error: BaseException | None) -> str | None:
    """What to tell where the database is away or full; None for any other error."""
    if error is None or not is_away(error):
        return None
    return _FULL if is_full(error) else _AWAY


def report(error: GraphQLError) -> None:
    """Log what is the service's fault; a caller's mistake is no news."""
    if not is_ours(error):
        return
    if of_database(error.original_error):
        log.warning("the database failed: %s", error)  # whose stack tells nobody more
    else:
        log.error("%s", error, exc_info=error.original_error)


class HideFaults(MaskErrors):
    """Callers learn of the service's faults what they can do about them, and no more."""

    def __init__(self) -> None:
        super().__init__(is_ours, _MASKED)

    def anonymise_error(self, error: GraphQLError) -> GraphQLError:
        """The error for the caller."""
        hidden = super().anonymise_error(error)
        hidden.message = of_database(error.original_error) or hidden.message
        return hidden
