"""Images from git, as the user pastes it: from the page's address to the registry."""

import asyncio
import base64
import json
import os
import sys
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.fixtures.git import BareRepository, File, GitServer, Link
from tests.fixtures.registry import RegistryServer
from tests.fixtures.service import ROOT, Client, Server, client_of, serving
from tests.service.hasty import hasty_server
from tests.service.places import descendants, places_with, shown_by, until
from tests.service.pulled import files_of
from tests.service.test_dockerfile import new_name

ROOT_DOCKERFILE = "FROM scratch\nCOPY . /root/\n"
TREE: dict[str, File] = {
    "Dockerfile": ROOT_DOCKERFILE,
    ".dockerignore": ".dockerignore\nleaving\ndemo2\n",
    "read.me": "the root\n",
    "demo1/Dockerfile": "FROM scratch\nCOPY app.py /demo1/\n",
    "demo1/app.py": "print('one')\n",
    "docker/Outside": "FROM scratch\nCOPY app.py /outside/\n",
    "leaving": Link("/etc"),
    "demo2/Dockerfile": Link("../../../../etc/passwd"),
}


@pytest.fixture(scope="module")
def app(git_server: GitServer) -> BareRepository:
    """`app.git`, with a branch that has slashes in its name."""
    repository = git_server.create(
        "app.git",
        {"main": {**TREE, "old": "old\n"}, "feature/log/in": {**TREE, "new": "new\n"}},
        {"v1.0": "main"},
    )
    repository.commit("main", TREE, "Second commit.\n\nWith a body.")
    return repository


@pytest.fixture(scope="module")
def hasty(
    docker_engine: str, registry: RegistryServer, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[Server]:
    """A server that waits for nobody, and tries once."""
    folder = tmp_path_factory.mktemp("hasty")
    settings = {"GIT_CHECK_SECONDS": "0.4", "GIT_ANSWER_SECONDS": "1"}
    with hasty_server(folder, docker_engine, registry.host, **settings) as server:
        yield server


WHOLE = {"root/read.me", "root/Dockerfile"}
DEMO1 = {"demo1/app.py"}
WAYS: list[tuple[str, dict[str, str], set[str]]] = [
    ("app.git", {"ref": "main"}, WHOLE),
    ("app", {"ref": "v1.0", "contextPath": "/"}, {*WHOLE, "root/old"}),
    ("app.git", {"ref": "feature/log/in", "contextPath": ""}, {*WHOLE, "root/new"}),
    # The Dockerfile's own directory is not assumed: the root is built unless something is said.
    ("app.git", {"ref": "main", "contextPath": "demo1", "dockerfilePath": "docker/Outside"},
     {"outside/app.py"}),
    ("app.git", {"ref": "main", "contextPath": "/demo1/", "dockerfilePath": "/demo1/Dockerfile"},
     DEMO1),
    ("app/-/tree/main/demo1", {"ref": ""}, DEMO1),
    ("app/tree/feature/log/in/demo1", {"ref": "feature/log/in"}, DEMO1),
    ("app/src/branch/feature/log/in", {"ref": ""}, {*WHOLE, "root/new"}),
    ("app/-/blob/main/docker/Outside?ref_type=heads", {"ref": "", "contextPath": "demo1"},
     {"outside/app.py"}),
]  # fmt: skip


@pytest.mark.parametrize(("address", "given", "expected"), WAYS)
async def test_addresses_refs_and_paths(
    client: Client,
    git_server: GitServer,
    app: BareRepository,
    address: str,
    given: dict[str, str],
    expected: set[str],
) -> None:
    created = await client.create("Git", name=new_name(), url=git_server.url(address), **given)
    build = await client.finished(created)
    assert build["status"] == "SUCCEEDED", await client.log(build["id"])
    found = await files_of(created["image"]["reference"])
    assert expected <= set(found), found
    assert not {"root/new", "root/old"} & (set(found) - expected)


async def test_the_commit_is_on_record(
    client: Client, git_server: GitServer, app: BareRepository
) -> None:
    sha = app.sha("refs/heads/main")
    for ref in (sha, sha[:10]):
        created = await client.create(
            "Git", name=new_name(), url=git_server.url("app.git"), ref=ref
        )
        build = await client.finished(created)
        assert build["commit"] == {
            "sha": sha,
            "author": "Ada Löw <ada@example.com>",
            "message": "Second commit.\n\nWith a body.",
        }
    assert build["dockerfile"] == ROOT_DOCKERFILE
    log = await client.log(build["id"])
    assert f"Commit {sha}" in log
    assert "Fetching" in log


REFUSED: list[tuple[str, dict[str, str], str]] = [
    ("private/app.git", {"token": "wrong", "tokenName": "ci"}, "token"),
    ("private/app.git", {}, "url"),
    ("public/missing.git", {}, "url"),
    ("web/app.git", {}, "url"),
    ("public/app.git", {"ref": "mian"}, "ref"),
    ("public/app.git", {"dockerfilePath": "demo1/Dockerfil"}, "dockerfilePath"),
    ("public/app.git", {"contextPath": "demo3"}, "contextPath"),
    ("public/app.git", {"contextPath": "../demo1"}, "contextPath"),
    ("public/app.git", {"dockerfilePath": "a/../../Dockerfile"}, "dockerfilePath"),
    ("public/app.git", {"ref": "--upload-pack=touch /tmp/x"}, "ref"),
]


@pytest.mark.parametrize(("path", "given", "field"), REFUSED)
async def test_what_is_wrong_is_said_at_once_on_its_field(
    client: Client,
    git_server: GitServer,
    app: BareRepository,
    path: str,
    given: dict[str, str],
    field: str,
) -> None:
    asked = {"name": new_name(), "url": f"{git_server.base}/{path}", "ref": "main", **given}
    answer = await client.create("Git", **asked)
    assert answer["__typename"] == "ValidationError", answer
    assert [problem["field"] for problem in answer["fields"]] == [field]
    assert await client.ask(COUNT, name=asked["name"]) == {"totalCount": 0}


@pytest.mark.parametrize(
    "url",
    [
        "file:///etc/passwd",
        "ext::sh -c id",
        "--upload-pack=id",
        "ssh://git@example.com/a/b.git",
        "https://user:secret@example.com/a/b.git",
        "http://169.254.169.254/latest/meta-data",
        "http://[fe80::1]/a/b.git",
        "http://0x7f.1/a/b.git",
    ],
)
async def test_addresses_that_are_not_asked(client: Client, url: str) -> None:
    answer = await client.create("Git", name=new_name(), url=url, ref="main")
    assert answer["__typename"] == "ValidationError", answer
    assert [problem["field"] for problem in answer["fields"]] == ["url"]
    assert "secret" not in json.dumps(answer)


async def test_paths_that_leave_by_a_link_fail_the_build(
    client: Client, git_server: GitServer, app: BareRepository
) -> None:
    for given in ({"contextPath": "leaving"}, {"dockerfilePath": "demo2/Dockerfile"}):
        created = await client.create(
            "Git", name=new_name(), url=git_server.url("app.git"), ref="main", **given
        )
        build = await client.finished(created)
        assert (build["status"], build["failure"]["code"]) == ("FAILED", "CONTEXT_INVALID")
        assert next(iter(given)) in build["failure"]["message"]


async def test_loopback_is_refused_where_nobody_allowed_it(
    docker_engine: str,
    registry: RegistryServer,
    git_server: GitServer,
    app: BareRepository,
    tmp_path: Path,
) -> None:
    settings = {"ENGINE_URL": docker_engine, "REGISTRY": registry.host}
    with serving(tmp_path / "data", settings) as server:
        async with client_of(server.url) as client:
            for host in ("127.0.0.1", "localhost"):
                url = git_server.url("app.git").replace("127.0.0.1", host)
                answer = await client.create("Git", name=new_name(), url=url, ref="main")
                assert [problem["field"] for problem in answer["fields"]] == ["url"], answer
                assert "loopback" in answer["message"]


async def test_a_server_that_hangs_is_left_to_the_build(
    hasty: Server, git_server: GitServer, app: BareRepository
) -> None:
    async with client_of(hasty.url) as client:
        before = time.monotonic()
        created = await client.create(
            "Git", name=new_name(), url=git_server.url("app.git", "hang"), ref="main"
        )
        assert time.monotonic() - before < 2
        build = await client.finished(created)
        assert build["failure"]["code"] == "GIT_UNREACHABLE"
        assert build["failure"]["blame"] == "SYSTEM"
        assert build["attempt"] == 2
        log = await client.log(build["id"])
    assert "This was try 1 of 2" in log
    assert log.rstrip().endswith(f"GIT_UNREACHABLE: {build['failure']['message']}")


async def test_a_token_opens_a_private_repository_and_shows_nowhere(
    hasty: Server, git_server: GitServer, app: BareRepository
) -> None:
    basic = base64.b64encode(f"{git_server.user}:{git_server.token}".encode())
    secrets = (git_server.token.encode(), basic)
    given = {"tokenName": git_server.user, "token": git_server.token, "ref": "main"}
    async with client_of(hasty.url) as client:
        url = git_server.url("app.git", "stall")
        stalled = await client.create("Git", name=new_name(), url=url, **given)
        seen = await _programs(hasty, "git-remote-http")
        assert not [text for text in seen for secret in secrets if secret in text]
        assert not [path for secret in secrets for path in places_with(secret, hasty.data)]
        await client.ask(CANCEL, id=stalled["build"]["id"])

        url = git_server.url("app.git", "private")
        created = await client.create("Git", name=new_name(), url=url, **given)
        build = await client.finished(created)
        assert build["status"] == "SUCCEEDED", await client.log(build["id"])
        answers = json.dumps(
            [
                stalled,
                created,
                await client.ask(EVERYTHING, id=created["image"]["id"]),
                await client.log(build["id"]),
            ]
        )
    assert not [secret for secret in secrets if secret.decode() in answers]
    assert places_with(url.encode(), hasty.data), "what is looked for would be found"
    assert not [path for secret in secrets for path in places_with(secret, hasty.data, hasty.log)]


async def test_a_token_is_replaced_and_its_key_rotated(
    hasty: Server, git_server: GitServer, app: BareRepository
) -> None:
    url = git_server.url("app.git", "barred")  # knows the token, and opens to nobody
    async with client_of(hasty.url) as client:
        created = await client.create(
            "Git", name=new_name(), url=git_server.url("app.git", "private"), ref="main",
            token=git_server.token,
        )  # fmt: skip
        await client.finished(created)
        image = created["image"]["id"]

        await client.ask(UPDATE, id=image, input={"token": "revoked-token"})
        failed = await client.finished(await client.ask(REBUILD, id=image, pinned=False))
        assert failed["failure"]["code"] == "GIT_AUTH"
        assert failed["failure"]["blame"] == "USER"
        assert failed["attempt"] == 1

        await client.ask(UPDATE, id=image, input={"token": git_server.token})
        before = (hasty.data / "secret.key").read_text()
        assert "sealed with the new key: " in await _rotate(hasty)
        assert (hasty.data / "secret.key").read_text().split()[1] == before.strip()
        again = await client.finished(await client.ask(REBUILD, id=image, pinned=False))
        assert again["status"] == "SUCCEEDED", await client.log(again["id"])
        refused = await client.create(
            "Git", name=new_name(), url=url, ref="main", token=git_server.token
        )
        assert [problem["field"] for problem in refused["fields"]] == ["token"]


async def test_a_context_is_archived_once(
    client: Client, server: Server, git_server: GitServer, app: BareRepository
) -> None:
    digests = set()
    for ref in ("main", app.sha("refs/heads/main")):
        created = await client.create(
            "Git", name=new_name(), url=git_server.url("app.git"), ref=ref, contextPath="demo1",
            dockerfilePath="demo1/Dockerfile",
        )  # fmt: skip
        digests.add((await client.finished(created))["contextDigest"])
    (digest,) = digests
    kept = list((server.data / "blobs").rglob(f"{digest.removeprefix('sha256:')}*"))
    assert len(kept) == 1


COUNT = "query($name: String!) { images(filter: {search: $name}) { totalCount } }"
CANCEL = "mutation($id: ID!) { cancelBuild(id: $id) { __typename } }"
UPDATE = """mutation($id: ID!, $input: UpdateImageInput!) {
    updateImage(id: $id, input: $input) { __typename } }"""
REBUILD = """mutation($id: ID!, $pinned: Boolean!) {
    rebuildImage(id: $id, input: {pinned: $pinned}) {
        __typename ... on CreateImagePayload { build { id } } } }"""
EVERYTHING = """query($id: ID!) { image(id: $id) { name description
    source { __typename ... on GitSource { url ref tokenName dockerfilePath contextPath } }
    builds { nodes { record failure { message } steps { name error } log { chunks { text } } } } } }
"""


async def _programs(server: Server, name: str) -> list[bytes]:
    """What can be seen of every process below a server, once one of this name is among them."""
    seen: list[bytes] = []

    async def found() -> bool:
        seen[:] = [shown_by(process) for process in descendants(server.process.pid)]
        return any(name.encode() in text for text in seen)

    await until(found, name)
    return seen


async def _rotate(server: Server) -> str:
    """What `darkroom rotate-key` says."""
    process = await asyncio.create_subprocess_exec(
        sys.executable,
        "-m",
        "server",
        "rotate-key",
        env={**os.environ, "PYTHONPATH": str(ROOT), "DARKROOM_DATA_DIR": str(server.data)},
        stdout=asyncio.subprocess.PIPE,
        stderr=asyncio.subprocess.STDOUT,
    )
    output, _ = await process.communicate()
    assert process.returncode == 0, output
    return output.decode()
