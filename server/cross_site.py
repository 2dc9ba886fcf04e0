"""Requests that a page of another site made a browser send.

A browser sends some requests of any page without asking first: forms, and what looks like one.
With them go the reader's network position and cookies. So a request that a form could have sent
must prove that it was not one.
"""

from collections.abc import Sequence
from urllib.parse import urlsplit

from starlette.requests import Request

# What a form can send; anything else makes a browser ask first (Fetch standard, CORS-safelisted).
FORM_TYPES = frozenset(
    {"application/x-www-form-urlencoded", "multipart/form-data", "text/plain", ""}
)
# Any of these shows a client that is no form: a form cannot set headers.
PROOFS = ("x-requested-with", "apollo-require-preflight", "graphql-require-preflight")


def refusal(request: Request, allowed: Sequence[str]) -> str | None:
    """Why a request is refused, or None when it is not; pages of `allowed` origins may ask."""
    origin = request.headers.get("origin")
    if origin is not None and origin not in allowed and not _is_own(origin, request):
        return f"Requests from pages of {origin[:200]} are not allowed here."
    if request.method != "POST" or _type_of(request) not in FORM_TYPES:
        return None
    if origin is not None or any(header in request.headers for header in PROOFS):
        return None
    return (
        "A browser's form could have sent this request. Send a header such as "
        "`X-Requested-With: darkroom` with an upload, to show that it was not one."
    )


def _is_own(origin: str, request: Request) -> bool:
    return urlsplit(origin).netloc == request.headers.get("host")


def _type_of(request: Request) -> str:
    return request.headers.get("content-type", "").split(";")[0].strip().lower()
