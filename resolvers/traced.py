"""A span for every query and mutation, by its operation's name."""

from collections.abc import Iterator

from strawberry.extensions import SchemaExtension
from strawberry.types.graphql import OperationType

from engine.context_ids import request_id
from engine.tracing import span

_LONGEST = 100  # characters of a name


class Traced(SchemaExtension):
    """What an operation starts is part of its trace: a build, wherever it runs."""

    def on_execute(self) -> Iterator[None]:
        """A subscription may last for days; it is no one piece of work."""
        context = self.execution_context
        kind = context.operation_type
        if kind is OperationType.SUBSCRIPTION:
            yield
            return
        name = (context.operation_name or "")[:_LONGEST]
        with span(f"{kind.value} {name}".strip(), operation=name, request=request_id.get()):
            yield
