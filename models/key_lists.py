"""Lists of keys by the thousand, out of the database and into it, each as one JSON text.

A row a key, or a parameter a key, costs several times as much.
"""

import json
from collections.abc import Iterable
from typing import Any

from pypika_tortoise.context import SqlContext
from pypika_tortoise.enums import Dialects
from pypika_tortoise.terms import AggregateFunction, Term, ValueWrapper
from tortoise.expressions import Aggregate


class _JsonArray(AggregateFunction):
    def __init__(self, column: Any) -> None:
        super().__init__("json_agg", column)

    def get_dialect_special_name(self, dialect: Dialects) -> str:
        return "json_group_array" if dialect is Dialects.SQLITE else ""


class Gathered(Aggregate):
    """The values of a column in a group, as JSON."""

    database_func = _JsonArray


class Keys(Term):
    """Keys to look for: `Image.filter(id__in=Keys(…))`."""

    def __init__(self, keys: Iterable[int]) -> None:
        super().__init__()
        self._json = ValueWrapper(json.dumps(list(keys)))

    def get_sql(self, ctx: SqlContext) -> str:
        """The subquery that lists them."""
        text = self._json.get_sql(ctx)
        if ctx.dialect is Dialects.SQLITE:
            return f"(SELECT value FROM json_each({text}))"  # noqa: S608  # a parameter's place
        return f"(SELECT json_array_elements_text({text}::json)::bigint)"
