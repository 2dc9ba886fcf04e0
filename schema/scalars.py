"""The scalars that GraphQL does not have itself. `SCALARS` goes into the schema's configuration."""

from datetime import UTC, datetime
from typing import NewType, NoReturn, Protocol, runtime_checkable

import strawberry
from graphql import GraphQLError
from strawberry.types.scalar import ScalarDefinition

BigInt = NewType("BigInt", int)
JSON = NewType("JSON", object)


@runtime_checkable
class Upload(Protocol):
    """A file of a multipart request, as the server hands it over (Starlette's `UploadFile`)."""

    @property
    def filename(self) -> str | None:
        """The client's name for it, which nothing vouches for."""

    @property
    def size(self) -> int | None:
        """Bytes, where the server knows them."""

    async def read(self, size: int = -1) -> bytes:
        """The next `size` bytes at most; an empty result is the end."""


def serialize_time(value: object) -> str:
    """RFC 3339 in UTC. A time without a zone is a fault of the code that made it."""
    if not isinstance(value, datetime) or value.tzinfo is None:
        raise GraphQLError(f"Not a time with a zone: {value!r}")
    return value.astimezone(UTC).isoformat().replace("+00:00", "Z")


def parse_time(value: object) -> datetime:
    """A time with a zone, as UTC."""
    try:
        time = datetime.fromisoformat(value if isinstance(value, str) else "")
    except ValueError:
        time = None
    if time is None or time.tzinfo is None:
        raise GraphQLError("Expected an RFC 3339 time with a zone, such as 2026-01-31T12:00:00Z.")
    return time.astimezone(UTC)


def integer_of_64_bits(value: object) -> int:
    """The value itself, when it is an integer that 64 bits hold."""
    # A bool is an int to Python, but not to GraphQL.
    if not isinstance(value, int) or isinstance(value, bool) or not -(2**63) <= value < 2**63:
        raise GraphQLError("Expected an integer between -2^63 and 2^63-1.")
    return value


def parse_upload(value: object) -> Upload:
    """The file that the server put in the place of the variable."""
    if not isinstance(value, Upload):
        raise GraphQLError("Expected a file of a multipart request (graphql-multipart-request).")
    return value


def refuse_output(_value: object) -> NoReturn:
    """Files only come in."""
    raise GraphQLError("A file is never part of an answer.")


SCALARS: dict[object, ScalarDefinition] = {
    datetime: strawberry.scalar(
        name="DateTime",
        description="A time in UTC, by RFC 3339: `2026-01-31T12:00:00Z`.",
        specified_by_url="https://www.rfc-editor.org/rfc/rfc3339",
        serialize=serialize_time,
        parse_value=parse_time,
    ),
    BigInt: strawberry.scalar(
        name="BigInt",
        description="A 64-bit integer.",
        serialize=integer_of_64_bits,
        parse_value=integer_of_64_bits,
    ),
    JSON: strawberry.scalar(
        name="JSON",
        description="A JSON value, as it is.",
        specified_by_url="https://www.rfc-editor.org/rfc/rfc8259",
        serialize=lambda value: value,
        parse_value=lambda value: value,
    ),
    Upload: strawberry.scalar(
        name="Upload",
        description="A file of a multipart request.",
        specified_by_url="https://github.com/jaydenseric/graphql-multipart-request-spec",
        serialize=refuse_output,
        parse_value=parse_upload,
    ),
}
