"""Which request, and which build, a task works for: what log lines are found by."""

import contextlib
import contextvars
from collections.abc import Iterator

request_id: contextvars.ContextVar[str] = contextvars.ContextVar("request_id", default="")
build_id: contextvars.ContextVar[int] = contextvars.ContextVar("build_id", default=0)


@contextlib.contextmanager
def for_build(id_: int) -> Iterator[None]:
    """Work for a build until the block ends; tasks that are started within do so too."""
    token = build_id.set(id_)
    try:
        yield
    finally:
        build_id.reset(token)
