"""What a caller can act on. Each is a member of the results of the mutations that may meet it."""

import strawberry

from schema.image import Image

MESSAGE = "The reason and the remedy, for people."


@strawberry.interface(description="Why a mutation did nothing.")
class Error:
    """The interface of all of them, so that a client can select `message` once."""

    message: str = strawberry.field(description=MESSAGE)


@strawberry.type(description="One field of the input, and what is wrong with it.")
class FieldError:
    """An entry of `ValidationError`."""

    field: str = strawberry.field(description="The input field's name: `dockerfilePath`.")
    message: str = strawberry.field(description=MESSAGE)


@strawberry.type(
    description="The input is not usable; each entry names the input field it is about."
)
class ValidationError(Error):
    """Lists everything that is wrong at once."""

    fields: list[FieldError] = strawberry.field(description="Everything that is wrong.")


@strawberry.type(description="Another record has this name already.")
class ConflictError(Error):
    """Names are unique in the registry."""

    image: Image | None = strawberry.field(
        description="The image that has the name, where the viewer may see it."
    )


@strawberry.type(description="There is no such record, or the viewer may not see it.")
class NotFoundError(Error):
    """The two are not told apart, so that ids give nothing away."""


@strawberry.type(description="The viewer may see the record, but not do this with it.")
class ForbiddenError(Error):
    """Said only of what may be seen."""


@strawberry.type(description="A server that the request needs did not answer; nothing was changed.")
class UnavailableError(Error):
    """Worth another try."""
