"""Media types and status codes, as the GraphQL over HTTP specification has them."""

from collections.abc import Mapping
from typing import Any

JSON = "application/json"
RESPONSE = "application/graphql-response+json"
_ANYTHING = ("*/*", "application/*")


def media_type(accept: str) -> str | None:
    """What to answer with; None when the client takes nothing that there is.

    Without a preference it is JSON, which clients from before the specification expect.
    """
    wanted = {}
    for entry in accept[:1000].split(","):
        name, *parameters = (part.strip().lower() for part in entry.split(";"))
        if "/" in name:
            wanted[name] = _weight(parameters)
    if not wanted:
        return JSON
    by_default = max((wanted.get(name, 0.0) for name in _ANYTHING), default=0.0)
    weights = {name: wanted.get(name, by_default) for name in (JSON, RESPONSE)}
    # A client that names both takes the one that tells more.
    best = max((RESPONSE, JSON), key=lambda name: (weights[name], name in wanted))
    if RESPONSE not in wanted and weights[JSON] > 0:
        best = JSON
    return best if weights[best] > 0 else None


def status_of(media: str, answer: Mapping[str, Any] | list[Any]) -> int:
    """200 for what was executed; 400 for a request that was not, where the media type allows it.

    A client that only knows JSON reads the errors from a 200.
    """
    if media == RESPONSE and isinstance(answer, Mapping) and "data" not in answer:
        return 400
    return 200


def _weight(parameters: list[str]) -> float:
    for parameter in parameters:
        name, _, value = parameter.partition("=")
        if name.strip() == "q":
            try:
                return min(1.0, max(0.0, float(value)))
            except ValueError:
                return 0.0
    return 1.0
