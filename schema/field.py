"""`strawberry.field` for methods, typed.

Given a description, strawberry's own decorator is typed as `Any`, so a strict type checker loses
every method under it. Here a method keeps its type, and a description cannot be left out.
"""

from collections.abc import Callable
from typing import Any, TypeVar, cast

import strawberry

Method = TypeVar("Method", bound=Callable[..., Any])


def field(description: str) -> Callable[[Method], Method]:
    """Make a method a field of its type: of an object, of the query or of the mutation."""
    return cast("Callable[[Method], Method]", strawberry.field(description=description))


def subscription(description: str) -> Callable[[Method], Method]:
    """Make an async generator a field of the subscription."""
    return cast("Callable[[Method], Method]", strawberry.subscription(description=description))
