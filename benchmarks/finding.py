"""A page of the list with its count and facets, against the same answers by SQL; and deep pages.

The client's time holds HTTP, authentication and GraphQL; SQL's, the statements alone, which this
process sends to the same database as the same user.
"""

import contextlib
import statistics
import time
from collections.abc import AsyncIterator, Awaitable, Callable, Sequence
from dataclasses import dataclass
from typing import Any, TypeVar

from benchmarks import many_images
from benchmarks.figures import Figure
from benchmarks.lab import Lab
from models import database
from schema.context import Viewer
from schema.inputs import ImageFilter
from tests.fixtures.database import postgres_server
from tests.fixtures.service import Client, client_of
from tests.resolvers import by_sql
from tests.service.quiet import quiet_server
from tests.service.tokens import SECRET, bearer

Answer = TypeVar("Answer")

COMMAND = "python -m benchmarks finding"
VIEWER = Viewer("user-1")
TWO_TAGS = ["kind-1/tag-3", "kind-2/tag-4"]
PAGE, SMALL_PAGE = 20, 5
_REQUESTS = 15  # of a round, whose median it is

_PAGE = "nodes { id name status createdAt } pageInfo { hasNextPage endCursor }"
_COUNTS = "totalCount facets { category { name } values { count selected tag { slug } } }"
_QUERY = """query($first: Int!, $after: String, $filter: ImageFilter) {{
  images(first: $first, after: $after, filter: $filter) {{ {fields} }} }}"""
WHOLE = _QUERY.format(fields=f"{_PAGE} {_COUNTS}")
PAGE_ALONE = _QUERY.format(fields=_PAGE)


@dataclass(frozen=True, slots=True)
class Shelf:
    """A database that holds so many images, and a user of the server on it."""

    name: str
    url: str
    client: Client


async def run(lab: Lab, rounds: int) -> list[Figure]:
    """SQLite and PostgreSQL in turn; what is compared is measured in turn."""
    figures = []
    url = f"sqlite://{lab.folder / 'images.sqlite3'}"
    async with _shelf(lab, "100,000 images on SQLite", url, 100_000) as shelf:
        figures += await _compared(shelf, rounds, target=0.1)
        figures.append(await _deep(shelf, rounds, "hundredth", 100, PAGE))
    with postgres_server() as postgres:
        url = postgres.database()
        async with _shelf(lab, "100,000 images on PostgreSQL", url, 100_000) as shelf:
            figures += await _compared(shelf, rounds, target=0.1)
            figures.append(await _deep(shelf, rounds, "hundredth", 100, PAGE))
        async with (
            _shelf(lab, "10,000 images", postgres.database(), 10_000) as small,
            _shelf(lab, "1,000,000 images on PostgreSQL", postgres.database(), 10**6) as large,
        ):
            figures += await _compared(large, rounds, target=0.05)
            figures.append(await _deep(large, rounds, "thousandth", 1000, SMALL_PAGE, TWO_TAGS))
            figures.append(await _growth(small, large, rounds))
    return figures


@contextlib.asynccontextmanager
async def _shelf(lab: Lab, name: str, url: str, count: int) -> AsyncIterator[Shelf]:
    await many_images.write(url, count)
    settings = {"AUTH": "jwt", "JWT_SECRET": SECRET, "REQUESTS_PER_MINUTE": "0"}
    folder = lab.folder / f"finding-{url.rpartition('/')[2]}"
    with quiet_server(folder, DATABASE_URL=url, **settings) as server:
        async with client_of(server.url, **bearer(VIEWER.name)) as client:
            await client.ask(PAGE_ALONE, first=1)  # has read what lists are found by
            yield Shelf(name, url, client)


async def _compared(shelf: Shelf, rounds: int, target: float) -> list[Figure]:
    """With two tags, and as the front end opens."""
    return [
        Figure(
            f"{shelf.name}, {what}: a page, `totalCount` and facets",
            COMMAND,
            *await _against_sql(shelf, tags, rounds),
            baseline_name="the same answers by SQL",
            unit="ms",
            compared="ratio",
            target=target,
        )
        for what, tags in (("two tags", TWO_TAGS), ("no tag", []))
    ]


async def _against_sql(
    shelf: Shelf, tags: list[str], rounds: int
) -> tuple[list[float], list[float]]:
    measured, baseline = [], []
    async with database.opened(shelf.url):
        for _ in range(rounds):
            (names, count, facets), milliseconds = await _timed(
                lambda: _by_sql(ImageFilter(tags=tags))
            )
            baseline.append(milliseconds)
            times = []
            for _ in range(_REQUESTS):
                page, milliseconds = await _timed(
                    lambda: shelf.client.ask(WHOLE, first=PAGE, filter={"tags": tags})
                )
                times.append(milliseconds)
            measured.append(statistics.median(times))
            counts = [value["count"] for facet in page["facets"] for value in facet["values"]]
            if (
                [node["name"] for node in page["nodes"]] != names
                or page["totalCount"] != count
                or sorted(filter(None, counts)) != sorted(facets)
            ):
                raise RuntimeError(f"{shelf.name}: the answers differ.")
    return measured, baseline


async def _by_sql(filter_: ImageFilter) -> tuple[list[str], int, list[int]]:
    """The names of the first page, the count, and each tag's count where it has any."""
    rows = await by_sql.page(VIEWER, filter_, PAGE + 1)  # one more tells whether there is a next
    count = await by_sql.count(VIEWER, filter_)
    facets = await by_sql.facets(VIEWER, filter_)
    return [row.name for row in rows[:PAGE]], count, list(facets.values())


async def _deep(
    shelf: Shelf, rounds: int, nth: str, number: int, size: int, tags: Sequence[str] = ()
) -> Figure:
    """A page that the cursors of all pages before it lead to, against the first."""
    asked: dict[str, Any] = {"first": size, "filter": {"tags": tags}}
    after = None
    for _ in range(number - 1):
        after = (await shelf.client.ask(PAGE_ALONE, after=after, **asked))["pageInfo"]["endCursor"]
    page = await shelf.client.ask(PAGE_ALONE, after=after, **asked)
    if len(page["nodes"]) != size:
        raise RuntimeError(f"{shelf.name} has no {nth} page.")
    measured, baseline = await _in_turn(
        rounds,
        lambda: shelf.client.ask(PAGE_ALONE, after=after, **asked),
        lambda: shelf.client.ask(PAGE_ALONE, **asked),
    )
    what = "two tags" if tags else "no tag"
    return Figure(
        f"{shelf.name}, {what}: the {nth} page of {size}",
        COMMAND,
        measured,
        baseline,
        baseline_name="the first page",
        unit="ms",
        compared="ratio",
        target=1.5,
    )


async def _growth(small: Shelf, large: Shelf, rounds: int) -> Figure:
    asked: dict[str, Any] = {"first": PAGE, "filter": {"tags": TWO_TAGS}}
    measured, baseline = await _in_turn(
        rounds,
        lambda: large.client.ask(WHOLE, **asked),
        lambda: small.client.ask(WHOLE, **asked),
    )
    return Figure(
        f"{large.name}, two tags: a page, `totalCount` and facets",
        COMMAND,
        measured,
        baseline,
        baseline_name=f"the same with {small.name}",
        unit="ms",
        compared="ratio",
        target=2,
    )


async def _in_turn(
    rounds: int, measured: Callable[[], Awaitable[Any]], baseline: Callable[[], Awaitable[Any]]
) -> tuple[list[float], list[float]]:
    """The milliseconds of both: one request of each after the other, medians of a round."""
    found: tuple[list[float], list[float]] = ([], [])
    for _ in range(rounds):
        times: tuple[list[float], list[float]] = ([], [])
        for _ in range(_REQUESTS):
            for ask, kept in zip((measured, baseline), times, strict=True):
                kept.append((await _timed(ask))[1])
        for kept, round_times in zip(found, times, strict=True):
            kept.append(statistics.median(round_times))
    return found


async def _timed(ask: Callable[[], Awaitable[Answer]]) -> tuple[Answer, float]:
    """An answer, and the milliseconds until it was there."""
    started = time.perf_counter()
    answer = await ask()
    return answer, (time.perf_counter() - started) * 1000
