"""The engine's errors as members of the results' unions."""

from typing import Any

import strawberry

import models
from engine.errors import Forbidden, InvalidInput, NameTaken, NotFound, Unavailable
from resolvers import audit
from resolvers.access import may_see
from resolvers.context import viewer_of
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


class OnUnavailable(strawberry.ExceptionHandler[Unavailable, UnavailableError]):
    """Another try may work."""

    def handle(self, exception: Unavailable, *, field: Any, info: Any) -> UnavailableError:
        """As it is."""
        audit.note(refused="UnavailableError")
        return UnavailableError(message=exception.message)


HANDLERS = (OnInvalidInput(), OnNameTaken(), OnNotFound(), OnForbidden(), OnUnavailable())
