"""One page of a list that is read by key."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Annotated, Generic, TypeVar

import strawberry
from graphql import GraphQLError

Row = TypeVar("Row")

First = Annotated[
    int, strawberry.argument(description="At most this many; the service may return fewer.")
]
After = Annotated[
    str | None,
    strawberry.argument(description="Continue behind this cursor, which an earlier page returned."),
]


class InvalidPageSize(GraphQLError):
    """More at once than a page holds, or fewer than nothing."""

    def __init__(self, first: int, most: int) -> None:
        super().__init__(f"`first` is {first}; it must be between 0 and {most}. Page with `after`.")


def size_of(first: int, most: int) -> int:
    """How many entries a page is to have. Raises InvalidPageSize."""
    if not 0 <= first <= most:
        raise InvalidPageSize(first, most)
    return first


@dataclass(frozen=True, slots=True)
class Page(Generic[Row]):
    """Rows in their order, and whether there are others before and behind them.

    `cursor` is called for rows that need one.
    """

    rows: Sequence[Row]
    cursor: Callable[[Row], str]
    has_next: bool
    has_previous: bool


@strawberry.type(description="Where a page stands in its list, as Relay's connections have it.")
class PageInfo:
    """Relay's `PageInfo`."""

    has_next_page: bool = strawberry.field(description="Whether there is more behind this page.")
    has_previous_page: bool = strawberry.field(
        description="Whether there is more before this page."
    )
    start_cursor: str | None = strawberry.field(
        description="The cursor of the page's first entry; null when the page is empty."
    )
    end_cursor: str | None = strawberry.field(
        description="The cursor of the page's last entry, to be given as `after`; null when the "
        "page is empty."
    )

    @classmethod
    def of(cls, page: Page[Row]) -> "PageInfo":
        """The place of this page."""
        rows = page.rows
        return cls(
            has_next_page=page.has_next,
            has_previous_page=page.has_previous,
            start_cursor=page.cursor(rows[0]) if rows else None,
            end_cursor=page.cursor(rows[-1]) if rows else None,
        )
