"""The GraphQL over HTTP specification: by a table here, and by its public audit suite."""

import json
import os
import shutil
import subprocess
from pathlib import Path
from typing import Any

import aiohttp
import pytest

from server.negotiation import media_type
from tests.fixtures.service import Server
from tests.service.quiet import quiet_server
from tests.service.tokens import bearer

JSON = "application/json"
RESPONSE = "application/graphql-response+json"


@pytest.mark.parametrize(
    ("accept", "media"),
    [
        ("", JSON),
        ("*/*", JSON),
        ("application/*", JSON),
        (JSON, JSON),
        (RESPONSE, RESPONSE),
        (f"{RESPONSE}; charset=utf-8, {JSON}; charset=utf-8", RESPONSE),
        (f"{RESPONSE};q=0.5, {JSON}", JSON),
        (f"{RESPONSE};q=0, */*", JSON),
        (f"{JSON};q=0, */*;q=0.1", RESPONSE),
        ("text/html", None),
        ("text/html, */*;q=0.8", JSON),
        ("*/*;q=0", None),
        (f"{JSON};q=nonsense", None),
        (",;,=;q", JSON),
    ],
)
def test_the_media_type_is_the_one_that_the_client_prefers(accept: str, media: str | None) -> None:
    assert media_type(accept) == media


REQUESTS = [
    ({"query": "{ __typename }"}, 200, 200, True),
    ({"query": "{"}, 200, 400, False),
    ({"query": "{ nothing }"}, 200, 400, False),
    ({"query": "query($a: Int!) { __typename }"}, 200, 400, False),
    ({"query": "{ node(id: 1) { id } }", "variables": None}, 200, 200, True),
    ({"query": "{ images(first: -1) { totalCount } }"}, 200, 200, True),
    ({}, 400, 400, False),
    ({"query": ""}, 400, 400, False),
]  # fmt: skip


@pytest.mark.parametrize(("body", "by_json", "by_response", "executed"), REQUESTS)
async def test_the_status_says_whether_it_was_executed(
    session: aiohttp.ClientSession,
    exposed: Server,
    body: dict[str, Any],
    by_json: int,
    by_response: int,
    executed: bool,
) -> None:
    for accept, status in ((JSON, by_json), (RESPONSE, by_response)):
        headers = {"Accept": accept, **bearer("mina")}
        url = f"{exposed.url}/graphql"
        async with session.post(url, json=body, headers=headers) as answer:
            told = await answer.json(content_type=None)
            assert answer.status == status, (accept, told)
            assert ("data" in told) is executed
            if status == 200:
                assert answer.headers["Content-Type"] == f"{accept}; charset=utf-8"


@pytest.mark.parametrize(
    ("headers", "status"),
    [
        ({"Content-Type": "application/json"}, 200),
        ({"Content-Type": "application/json; charset=UTF-8"}, 200),
        ({"Content-Type": "application/json; charset=utf-16"}, 415),
        ({"Content-Type": "application/graphql"}, 415),
        ({"Content-Type": "application/jsonx"}, 415),
        ({"Content-Type": "application/json", "Accept": "text/html"}, 406),
    ],
)
async def test_other_media_types_are_refused(
    session: aiohttp.ClientSession, exposed: Server, headers: dict[str, str], status: int
) -> None:
    data = json.dumps({"query": "{ __typename }"})
    all_headers = {**headers, **bearer("mina")}
    async with session.post(f"{exposed.url}/graphql", data=data, headers=all_headers) as answer:
        assert answer.status == status


AUDIT = """
import { createRequire } from "node:module";
const { auditServer } = createRequire(process.env.AUDIT_FROM)("graphql-http");
const results = await auditServer({ url: process.argv[1], fetchFn: fetch });
const told = results.map(({ status, id, name, reason }) => [status, id, name, reason]);
console.log(JSON.stringify(told));
"""


def _audit_package() -> str | None:
    """Where node finds `graphql-http` from, if it does: `npm install --global graphql-http`."""
    if not shutil.which("node") or not shutil.which("npm"):
        return None
    done = subprocess.run(["npm", "root", "--global"], capture_output=True, text=True, check=False)
    folders = [done.stdout.strip(), *os.environ.get("NODE_PATH", "").split(":")]
    found = [folder for folder in folders if folder and Path(folder, "graphql-http").is_dir()]
    return str(Path(found[0]).parent / "audit.js") if found else None


def test_the_public_audit_suite_is_content(tmp_path: Path) -> None:
    package = _audit_package()
    if package is None:
        pytest.skip("npm's graphql-http is not installed")
    with quiet_server(tmp_path / "data") as server:
        done = subprocess.run(
            ["node", "--input-type=module", "--eval", AUDIT, f"{server.url}/graphql"],
            capture_output=True,
            check=True,
            env={**os.environ, "AUDIT_FROM": package},
        )
    results = json.loads(done.stdout)
    assert len(results) > 50
    assert [result for result in results if result[0] != "ok"] == []
