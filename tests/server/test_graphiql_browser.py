"""GraphiQL in a real browser, against a small GraphQL server behind a path prefix."""

import json
from collections.abc import AsyncIterator
from pathlib import Path
from urllib.parse import urlsplit

import pytest
import strawberry
from starlette.applications import Starlette
from starlette.routing import Mount, Route, WebSocketRoute
from strawberry.asgi import GraphQL

from server.graphiql.examples import load
from server.graphiql.page import routes
from tests.server import chromium
from tests.server.chromium import Page
from tests.server.serving import served

pytestmark = pytest.mark.skipif(not chromium.PROGRAM, reason="chromium is not installed")

QUERY = "query Seen { seen }"
SUBSCRIPTION = "subscription Follow { buildLog { firstLine cursor text } }"


@strawberry.type
class BuildLogChunk:
    first_line: int
    cursor: int
    text: str


@strawberry.type
class Query:
    @strawberry.field
    def seen(self, info: strawberry.Info) -> str:
        """What arrived with the request."""
        headers = info.context["request"].headers
        return f"{headers.get('x-requested-with')} {headers.get('authorization')}"


@strawberry.type
class Subscription:
    @strawberry.subscription
    async def build_log(self, info: strawberry.Info) -> AsyncIterator[BuildLogChunk]:
        token = info.context["connection_params"].get("Authorization")
        yield BuildLogChunk(first_line=1, cursor=2, text="\x1b[32mone\x1b[0m\n10%\r100%\n")
        yield BuildLogChunk(first_line=3, cursor=3, text=f"token {token}\n")


@pytest.fixture
async def server() -> AsyncIterator[str]:
    """The origin of a running server, with everything under /behind."""
    graphql = GraphQL[None, None](
        strawberry.Schema(Query, subscription=Subscription), graphql_ide=None
    )
    under = [*routes(), Route("/graphql", graphql), WebSocketRoute("/graphql", graphql)]
    app = Starlette(routes=[Mount("/behind", routes=under)])
    async with served(app) as origin:
        yield origin


@pytest.fixture
async def page(server: str, tmp_path: Path) -> AsyncIterator[Page]:
    async with chromium.opened(f"{server}/behind/graphiql", tmp_path) as page:
        await page.until("document.querySelector('.graphiql-query-editor .CodeMirror')")
        yield page


async def test_operations_run_and_nothing_is_asked_of_another_host(page: Page, server: str) -> None:
    await write(page, ".graphiql-query-editor", QUERY, title="Seen")
    await write(page, HEADERS, '{"authorization": "Bearer one-for-all"}')
    await press(page, ".graphiql-execute-button")
    await page.until(f"{value('.result-window')}.includes('GraphiQL Bearer one-for-all')")

    # In a new tab, whose token is blank, the same one goes along; over the WebSocket too.
    await press(page, ".graphiql-tab-add")
    await page.until(f"{value('.graphiql-query-editor')}.startsWith('# A new operation')")
    await write(page, ".graphiql-query-editor", SUBSCRIPTION, title="Follow")
    await press(page, ".graphiql-execute-button")
    await page.until("document.querySelectorAll('.darkroom-log li').length === 3")

    lines = await page.run(
        "[...document.querySelectorAll('.darkroom-log li')].map((li) => li.innerText)"
    )
    assert lines == ["one", "100%", "token Bearer one-for-all"]
    assert any(urlsplit(url).scheme == "ws" for url in page.requested)
    asked = [urlsplit(url) for url in page.requested if not url.startswith("data:")]
    assert {url.netloc for url in asked} == {urlsplit(server).netloc}
    assert {url.path for url in asked if "static" not in url.path} == {
        "/behind/graphiql",
        "/behind/graphql",
    }
    # Neither the content security policy nor the scripts had anything to complain about.
    assert page.complaints == []


async def test_it_opens_with_the_examples_in_the_dark(page: Page) -> None:
    first, *_, last = load()
    tabs = await page.run("document.querySelectorAll('.graphiql-tab').length")
    shown = await page.run(value(".graphiql-query-editor"))

    assert tabs == len(load())
    assert shown == first.query
    assert await page.run("document.title") == "Darkroom"
    assert await page.run("document.body.className") == "graphiql-dark"

    await press(page, "[aria-label='Show Examples']")
    await press(page, ".darkroom-examples li:last-child button")
    await page.until(f"{value('.graphiql-query-editor')} === {json.dumps(last.query)}")
    await page.until(f"document.querySelectorAll('.graphiql-tab').length === {tabs + 1}")
    assert page.complaints == []


async def test_a_chosen_theme_outlives_a_visit(page: Page, server: str) -> None:
    await page.run("localStorage.removeItem('graphiql:theme')")  # what the choice "System" does
    await page.load(f"{server}/behind/graphiql")
    await page.until("document.querySelector('.graphiql-query-editor .CodeMirror')")
    await page.until("!document.body.className.includes('graphiql-')")


HEADERS = ".graphiql-editor-tool .graphiql-editor:nth-of-type(2)"


def value(pane: str) -> str:
    """The script for what an editor holds."""
    return f'document.querySelector("{pane} .CodeMirror").CodeMirror.getValue()'


async def write(page: Page, pane: str, text: str, title: str | None = None) -> None:
    """Type into an editor; with `title`, wait until GraphiQL has understood the operation."""
    editor = f'document.querySelector("{pane} .CodeMirror").CodeMirror'
    await page.run(f"{editor}.setValue({json.dumps(text)})")
    if title:
        await page.until(
            f"document.querySelector('.graphiql-tab-active').innerText.includes('{title}')"
        )


async def press(page: Page, selector: str) -> None:
    await page.until(f'document.querySelector("{selector}")')
    await page.run(f'document.querySelector("{selector}").click()')
