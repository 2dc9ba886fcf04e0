"""GraphiQL: its examples are valid, it is served whole from here, and it hardens its page."""

import hashlib
import json
import re
from collections.abc import AsyncIterator, Mapping
from dataclasses import dataclass
from html.parser import HTMLParser
from pathlib import Path

import aiohttp
import pytest
from graphql import (
    GraphQLError,
    GraphQLSchema,
    OperationDefinitionNode,
    OperationType,
    build_schema,
    parse,
    validate,
)
from graphql.execution.values import get_variable_values
from starlette.applications import Starlette
from starlette.routing import Mount
from yarl import URL

from server.graphiql.examples import FOLDER, Example, as_script, load
from server.graphiql.page import routes
from tests.server.serving import served

ROOT = Path(__file__).parents[2]
STATIC = ROOT / "server" / "graphiql" / "static"
PREFIX = "/behind/a/proxy"


@pytest.fixture(scope="module")
def schema() -> GraphQLSchema:
    exported = ROOT / "schema.graphql"
    contract = ROOT.parent / "shared" / "contract.graphql"
    file = next((file for file in (exported, contract) if file.exists()), None)
    if file is None:
        pytest.skip("schema.graphql has not been exported")
    return build_schema(file.read_text(encoding="utf-8"))


@dataclass
class Answer:
    status: int
    headers: Mapping[str, str]
    body: bytes

    @property
    def text(self) -> str:
        return self.body.decode()


class Client:
    """Asks for paths under the prefix, as they stand."""

    def __init__(self, session: aiohttp.ClientSession, origin: str) -> None:
        self._session, self._origin = session, origin

    async def get(self, path: str, headers: Mapping[str, str] | None = None) -> Answer:
        url = URL(f"{self._origin}{PREFIX}/{path}", encoded=True)
        async with self._session.get(url, headers=headers) as answer:
            return Answer(answer.status, answer.headers, await answer.read())

    async def static(self, name: str, headers: Mapping[str, str] | None = None) -> Answer:
        html = (await self.get("graphiql")).text
        found = re.search(r'src="(graphiql/static/\w+)/start\.js"', html)
        assert found
        return await self.get(f"{found[1]}/{name}", headers)


@pytest.fixture
async def client() -> AsyncIterator[Client]:
    app = Starlette(routes=[Mount(PREFIX, routes=routes())])
    async with served(app) as origin, aiohttp.ClientSession() as session:
        yield Client(session, origin)


class References(HTMLParser):
    """Every address that a page loads by itself, and every script that stands in it."""

    def __init__(self, html: str) -> None:
        super().__init__()
        self.addresses: list[str] = []
        self.inline: list[str] = []
        self.feed(html)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        given = dict(attrs)
        self.addresses += [given[name] or "" for name in ("src", "href", "srcset") if name in given]
        is_data = given.get("type") == "application/json"
        if tag == "script" and "src" not in given and not is_data:
            self.inline.append("script")
        self.inline += [name for name in given if name == "style" or name.startswith("on")]


@pytest.mark.parametrize("example", load(), ids=lambda example: example.title)
def test_an_example_is_valid(example: Example, schema: GraphQLSchema) -> None:
    document = parse(example.query)
    assert validate(schema, document) == []

    [operation] = document.definitions
    assert isinstance(operation, OperationDefinitionNode)
    assert operation.name, "The name is the tab's title"
    definitions = operation.variable_definitions or ()
    variables = json.loads(example.variables or "{}")
    values = get_variable_values(schema, definitions, variables)
    assert not any(isinstance(value, GraphQLError) for value in values)  # a list of errors

    declared = {definition.variable.name.value for definition in definitions}
    assert variables.keys() <= declared


@pytest.mark.parametrize("example", load(), ids=lambda example: example.title)
def test_an_example_explains_itself(example: Example) -> None:
    comments = [line for line in example.query.splitlines() if line.startswith("#")]

    assert example.query.startswith(f"# {example.title}\n#\n# ")
    # What is longer is cut off by the response pane in a window of 1500 pixels.
    assert max(map(len, comments)) <= 60


def test_the_examples_show_all_three_kinds_of_operation() -> None:
    kinds = {
        definition.operation
        for example in load()
        for definition in parse(example.query).definitions
        if isinstance(definition, OperationDefinitionNode)
    }
    assert kinds == set(OperationType)
    assert len({example.title for example in load()}) == len(list(FOLDER.glob("*.graphql")))


def test_an_example_cannot_leave_its_script_element() -> None:
    hostile = Example("</script><!--", "# </SCRIPT>", None)

    script = as_script([hostile])

    assert "<" not in script
    assert json.loads(script)[0]["title"] == hostile.title


async def test_everything_that_the_page_loads_is_served_from_here(client: Client) -> None:
    page = await client.get("graphiql")
    found = References(page.text)

    assert page.headers["content-type"].startswith("text/html")
    assert "<title>Darkroom</title>" in page.text
    assert "{{" not in page.text
    assert found.inline == []
    assert len(found.addresses) >= 8
    for address in found.addresses:
        assert not re.match(r"\w+:|//|/", address), "relative, or a path prefix breaks it"
        answer = await client.get(address)
        assert answer.status == 200
        kinds = {"js": "text/javascript", "css": "text/css", "svg": "image/svg+xml"}
        kind = kinds[address.rpartition(".")[2]]
        assert answer.headers["content-type"].partition(";")[0] == kind
        assert "immutable" in answer.headers["cache-control"]


async def test_modules_and_styles_load_only_their_neighbours(client: Client) -> None:
    todo, seen = ["start.js", "darkroom.css", "graphiql.css", "explorer.css"], set[str]()
    while todo:
        name = todo.pop()
        seen.add(name)
        text = (await client.static(name)).text
        assert not re.search(r"@import|url\(\s*[\"']?(?:https?:)?//", text)
        imported = set(re.findall(r'^import .* from "(.+)";$', text, re.MULTILINE))
        assert all(module.startswith("./") for module in imported)
        todo += {module.removeprefix("./") for module in imported} - seen
    assert {"fetcher.js", "log.js", "examples.js", "theme.js"} <= seen


async def test_the_page_is_hardened(client: Client) -> None:
    headers = (await client.get("graphiql")).headers
    policy = dict(rule.split(" ", 1) for rule in headers["content-security-policy"].split("; "))

    assert policy["default-src"] == "'none'"
    assert policy["frame-ancestors"] == "'none'"
    for kind in ("script-src", "style-src", "connect-src"):
        assert policy[kind] == "'self'"
    assert headers["x-content-type-options"] == "nosniff"
    assert headers["referrer-policy"] == "no-referrer"


@pytest.mark.parametrize("encoding", ["gzip", "identity", "gzip;q=0"])
async def test_what_the_browser_has_is_not_sent_again(client: Client, encoding: str) -> None:
    accept = {"Accept-Encoding": encoding}
    for get, name in ((client.get, "graphiql"), (client.static, "graphiql.js")):
        first = await get(name, accept)
        again = await get(name, {**accept, "If-None-Match": first.headers["etag"]})
        changed = await get(name, {**accept, "If-None-Match": '"another"'})

        assert (first.headers.get("content-encoding") == "gzip") == (encoding == "gzip")
        assert (again.status, again.body) == (304, b"")
        assert again.headers["etag"] == first.headers["etag"]
        assert changed.body == first.body


async def test_both_encodings_are_the_same_file_with_tags_of_their_own(client: Client) -> None:
    plain = await client.static("react-dom.js", {"Accept-Encoding": "identity"})
    packed = await client.static("react-dom.js", {"Accept-Encoding": "gzip"})

    assert plain.body == packed.body == (STATIC / "react-dom.js").read_bytes()
    assert int(packed.headers["content-length"]) < int(plain.headers["content-length"]) / 2
    assert plain.headers["etag"] != packed.headers["etag"]


@pytest.mark.parametrize("name", ["missing.js", "page.html", "..%2Fpage.py", "%2e%2e/page.py"])
async def test_nothing_else_is_served(client: Client, name: str) -> None:
    assert (await client.static(name)).status == 404


def test_the_copied_files_are_the_ones_on_record() -> None:
    rows = [
        line.split()
        for line in (STATIC / "VERSIONS.txt").read_text().splitlines()
        if not line.startswith("#")
    ]
    recorded = {name: (package, version, digest) for name, package, version, _, digest in rows}
    pinned = json.loads((ROOT / "console" / "package.json").read_text())["dependencies"]
    licences = (STATIC / "LICENSES.txt").read_text()

    assert recorded.keys() == {file.name for file in STATIC.iterdir() if file.suffix != ".txt"}
    for name, (package, version, digest) in recorded.items():
        assert hashlib.sha256((STATIC / name).read_bytes()).hexdigest() == digest
        assert pinned[package] == version
        assert re.search(rf"(^|, ){re.escape(package)}(,|$)", licences, re.MULTILINE)


def test_the_lock_file_names_no_server() -> None:
    lock = json.loads((ROOT / "console" / "package-lock.json").read_text())

    assert len(lock["packages"]) > 10
    assert not [name for name, package in lock["packages"].items() if "resolved" in package]
