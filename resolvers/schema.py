"""The schema: the nouns, the verbs, and how errors are told."""

from typing import Any

import strawberry
from graphql import GraphQLError
from strawberry.schema.config import StrawberryConfig
from strawberry.schema.exceptions import InvalidOperationTypeError
from strawberry.schema.schema import StreamResult
from strawberry.types import ExecutionResult
from strawberry.types.execution import PreExecutionError
from strawberry.types.graphql import OperationType

from resolvers.audit import Audit
from resolvers.context import RequestContext
from resolvers.faults import HideFaults, report
from resolvers.limits import Limits
from resolvers.mutation import Mutation
from resolvers.nesting import DEEPEST, is_too_deep
from resolvers.outcomes import HANDLERS
from resolvers.query import Query
from resolvers.shared_events import SharedEvents
from resolvers.subscription import Subscription
from resolvers.traced import Traced
from schema.scalars import SCALARS

_FOLLOWED = (
    "A subscription has any number of results: send it over a WebSocket (graphql-transport-ws), or "
    "with the header `Accept: text/event-stream`."
)


class Schema(strawberry.Schema):
    """Errors that are not meant for the caller are logged where they happen, and told to nobody."""

    async def execute(self, query: str | None, *given: Any, **named: Any) -> ExecutionResult:
        """Answer one operation."""
        if refused := _refusal(query, named["context_value"]):
            return refused
        allowed = set(named.get("allowed_operation_types") or OperationType)
        named["allowed_operation_types"] = allowed - {OperationType.SUBSCRIPTION}
        try:
            return await super().execute(query, *given, **named)
        except InvalidOperationTypeError as error:
            if error.operation_type is OperationType.SUBSCRIPTION:
                return PreExecutionError(data=None, errors=[GraphQLError(_FOLLOWED)])
            raise

    async def stream(self, query: str | None, *given: Any, **named: Any) -> StreamResult:
        """Answer one operation by any number of results."""
        if refused := _refusal(query, named["context_value"]):
            return _only(refused)
        return await super().stream(query, *given, **named)

    def process_errors(
        self, errors: list[GraphQLError], execution_context: object | None = None
    ) -> None:
        """Log those that are news."""
        for error in errors:
            report(error)


def _refusal(query: str | None, context: RequestContext) -> PreExecutionError | None:
    """The result for a document that would exhaust the parser's stack, or None."""
    if not query or not is_too_deep(query, context.services.settings.query_tokens):
        return None
    message = f"The document has more than {DEEPEST} brackets within each other."
    return PreExecutionError(data=None, errors=[GraphQLError(message)])


async def _only(result: PreExecutionError) -> StreamResult:
    yield result


schema = Schema(
    query=Query,
    mutation=Mutation,
    subscription=Subscription,
    exception_handlers=HANDLERS,
    execution_context_class=SharedEvents,
    config=StrawberryConfig(scalar_map=SCALARS),
    extensions=[
        HideFaults,
        Audit,
        Limits,
        Traced,
    ],
)
