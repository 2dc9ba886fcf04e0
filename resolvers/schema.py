"""The schema: the nouns, the verbs, and how errors are told."""

import logging

import strawberry
from graphql import GraphQLError
from strawberry.extensions import MaskErrors, MaxAliasesLimiter, MaxTokensLimiter, QueryDepthLimiter
from strawberry.schema.config import StrawberryConfig

from engine.errors import EngineError
from resolvers.mutation import Mutation
from resolvers.outcomes import HANDLERS
from resolvers.query import Query
from resolvers.subscription import Subscription
from schema.scalars import SCALARS

log = logging.getLogger(__name__)

MOST_TOKENS = 5_000
MOST_ALIASES = 50
DEEPEST = 15  # levels of selections; GraphiQL's introspection query has 13

_MASKED = "Darkroom itself failed. Ask an administrator to look at the server's log."


class Schema(strawberry.Schema):
    """Errors that are not meant for the caller are logged where they happen, and told to nobody."""

    def process_errors(
        self, errors: list[GraphQLError], execution_context: object | None = None
    ) -> None:
        """Log what is the service's fault; a caller's mistake is no news."""
        for error in errors:
            if _is_ours(error):
                log.error("%s", error, exc_info=error.original_error)


def _is_ours(error: GraphQLError) -> bool:
    """Whether an error came out of the code, rather than out of the request."""
    original = error.original_error
    return original is not None and not isinstance(original, EngineError | GraphQLError)


schema = Schema(
    query=Query,
    mutation=Mutation,
    subscription=Subscription,
    exception_handlers=HANDLERS,
    config=StrawberryConfig(scalar_map=SCALARS),
    extensions=[
        lambda: MaskErrors(should_mask_error=_is_ours, error_message=_MASKED),
        lambda: MaxTokensLimiter(max_token_count=MOST_TOKENS),
        lambda: MaxAliasesLimiter(max_alias_count=MOST_ALIASES),
        lambda: QueryDepthLimiter(max_depth=DEEPEST),
    ],
)
