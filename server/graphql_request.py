"""Reading a GraphQL request from JSON that anybody may have written."""

import json
from collections.abc import Mapping
from typing import Any, NoReturn

from cross_web import HTTPException
from strawberry.http import GraphQLRequestData, GraphQLRequestProtocol

_KINDS: dict[str, tuple[type, str]] = {
    "query": (str, "a text"),
    "operationName": (str, "a text"),
    "variables": (dict, "an object"),
    "extensions": (dict, "an object"),
}


def decode(data: str | bytes) -> Any:
    """JSON (RFC 8259) as Python objects. Raises json.JSONDecodeError for anything else.

    Python reads more than JSON, and fails by other errors on what is nested or long beyond reason.
    """
    try:
        return json.loads(data, parse_constant=_refuse)
    except json.JSONDecodeError:
        raise
    except (ValueError, RecursionError):
        raise json.JSONDecodeError("not JSON, or beyond reason", "", 0) from None


def operation_of(data: object, protocol: GraphQLRequestProtocol) -> GraphQLRequestData:
    """One operation of a request. Raises HTTPException."""
    if not isinstance(data, Mapping):
        raise HTTPException(400, "A GraphQL request is a JSON object.")
    for name, (kind, described) in _KINDS.items():
        if data.get(name) is not None and not isinstance(data[name], kind):
            raise HTTPException(400, f"`{name}` of a GraphQL request is {described}, or null.")
    if not data.get("query"):
        raise HTTPException(400, "The request has no `query`.")
    return GraphQLRequestData(
        query=data["query"],
        variables=data.get("variables"),
        operation_name=data.get("operationName"),
        extensions=data.get("extensions"),
        protocol=protocol,
    )


def _refuse(constant: str) -> NoReturn:
    raise ValueError(f"{constant} is not JSON")
