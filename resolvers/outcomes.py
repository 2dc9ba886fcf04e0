"""The engine's errors as members of the results' unions."""

import logging
from typing import Any

import strawberry

import models
from engine.blobs import BlobsUnavailable
from engine.errors import Forbidden, InvalidInput, NameTaken, NotFound, Unavailable
from resolvers import audit
from resolvers.access import may_see
from resolvers.context import viewer_of
from resolvers.faults import of_database
from schema.context import Info
from schema.errors import (
    ConflictError,
    FieldError,
    ForbiddenError,
    NotFoundError,
    UnavailableError,
    ValidationError,
)
from schema.image import Image

log = logging.getLogger(__name__)


class OnInvalidInput(strawberry.ExceptionHandler[InvalidInput, ValidationError]):
    """Every field's reason at once."""

    def handle(self, exception: InvalidInput, *, field: Any, info: Any) -> ValidationError:
        """The problems, by the API's names of the fields."""
        audit.note(refused="ValidationError")
        fields = [
            FieldError(field=problem.field, message=problem.message)
            for problem in exception.problems
        ]
        return ValidationError(message=exception.message, fields=fields)


class OnNameTaken(strawberry.ExceptionHandler[NameTaken, ConflictError]):
    """The other record, where the viewer may see it."""

    async def handle(self, exception: NameTaken, *, field: Any, info: Info) -> ConflictError:
        """A private image of somebody else stays unseen."""
        audit.note(refused="ConflictError")
        row = await models.Image.get_or_none(id=exception.image_id)
        seen = Image.of(row) if row and may_see(viewer_of(info), row) else None
        return ConflictError(message=exception.message, image=seen)


class OnNotFound(strawberry.ExceptionHandler[NotFound, NotFoundError]):
    """There is none, or not for the viewer."""

    def handle(self, exception: NotFound, *, field: Any, info: Any) -> NotFoundError:
        """As it is."""
        audit.note(refused="NotFoundError")
        return NotFoundError(message=exception.message)


class OnForbidden(strawberry.ExceptionHandler[Forbidden, ForbiddenError]):
    """Seen, but not to be changed."""

    def handle(self, exception: Forbidden, *, field: Any, info: Any) -> ForbiddenError:
        """As it is."""
        audit.note(refused="ForbiddenError")
        return ForbiddenError(message=exception.message)


class OnUnavailable(strawberry.ExceptionHandler[Unavailable | BlobsUnavailable, UnavailableError]):
    """Another try may work."""

    def handle(
        self, exception: Unavailable | BlobsUnavailable, *, field: Any, info: Any
    ) -> UnavailableError:
        """As it is."""
        audit.note(refused="UnavailableError")
        return UnavailableError(message=exception.message)


class OnDatabaseAway(strawberry.ExceptionHandler[Exception, UnavailableError]):
    """Of each database's own kind, so that all errors are looked at: this one is the last."""

    def handle(self, exception: Exception, *, field: Any, info: Any) -> UnavailableError | None:
        """None, where it is something else that failed."""
        message = of_database(exception)
        if message is None:
            return None
        audit.note(refused="UnavailableError")
        log.warning("the database failed: %s", exception)
        return UnavailableError(message=message)


HANDLERS = (
    OnInvalidInput(),
    OnNameTaken(),
    OnNotFound(),
    OnForbidden(),
    OnUnavailable(),
    OnDatabaseAway(),
)
