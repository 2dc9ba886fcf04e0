"""What no GraphQL service of this kind can be below: strawberry on starlette, and a constant.

Run as a program, it serves on the port that it is given, by uvicorn as Darkroom does: bare at
`/bare`, and at `/cached` with strawberry's caches, which spare it parsing and validating.
"""

import sys

import strawberry
import uvicorn
from starlette.applications import Starlette
from starlette.routing import Route
from strawberry.asgi import GraphQL
from strawberry.extensions import ParserCache, ValidationCache


@strawberry.type
class User:
    """As in Darkroom's schema, without what nobody asks for."""

    name: str


@strawberry.type
class Query:
    """The one question."""

    @strawberry.field
    def viewer(self) -> User:
        """Always the same."""
        return User(name="mina")


def application() -> Starlette:
    """The endpoints, and nothing around them."""
    bare = strawberry.Schema(Query)
    cached = strawberry.Schema(Query, extensions=[ParserCache, ValidationCache])
    return Starlette(routes=[Route("/bare", GraphQL(bare)), Route("/cached", GraphQL(cached))])


if __name__ == "__main__":
    uvicorn.run(application(), port=int(sys.argv[1]), log_config=None, access_log=False)
