"""Whose fault an error is: the request's, or the code's."""

from graphql import GraphQLError

from engine.errors import EngineError


def is_ours(error: GraphQLError) -> bool:
    """Whether an error came out of the code, rather than out of the request."""
    original = error.original_error
    if original is None or isinstance(original, EngineError | GraphQLError):
        return False
    # Validation tells what it cannot read, and where; what failed while running has a path.
    return error.path is not None or not error.nodes
