"""What is typed stays text: in the database, in headers, in logs and on pages."""

import json

import pytest

from schema import ids
from tests.fixtures.service import Client, Server
from tests.rows import image
from tests.service.quiet import opened

TEXTS = [
    "<script>alert(1)</script>",
    "'; DROP TABLE image; --",
    '" OR 1=1 --',
    "%' OR 'a'='a",
    "\\",
    "%",
    "_",
    "${jndi:ldap://evil.example.com}",
    "{{ 7 * 7 }}",
    "مرحبا 你好 🏭",
]
UPDATE = """mutation($id: ID!, $text: String) { updateImage(id: $id, input: {description: $text}) {
  __typename ... on UpdateImagePayload { image { description } } } }"""
SEARCH = "query($text: String) { images(filter: {search: $text}) { nodes { description } } }"


@pytest.mark.parametrize("text", TEXTS)
async def test_text_comes_back_as_it_was(user: Client, exposed: Server, text: str) -> None:
    async with opened(exposed):
        rows = [image(owner="mina", description="another"), image(owner="mina")]
        for row in rows:
            await row.save()
    answer = await user.ask(UPDATE, id=ids.encode("Image", rows[1].id), text=f"a{text}b")
    assert answer["image"]["description"] == f"a{text}b"
    found = await user.ask(SEARCH, text=f"a{text}b")
    assert {node["description"] for node in found["nodes"]} == {f"a{text}b"}


@pytest.mark.parametrize("text", ["\x1b[2J", "a\rb", "\x9b31m", "\u202eevil", "\ud800"])
async def test_text_that_steers_is_refused(user: Client, exposed: Server, text: str) -> None:
    async with opened(exposed):
        row = image(owner="mina")
        await row.save()
    answer = await user.execute(UPDATE, id=ids.encode("Image", row.id), text=text)
    told = json.dumps(answer)
    assert "ValidationError" in told or "half a character" in told


NAMES = [
    "/mina/a b:1", "/mina/../x:1", "//mina:1", "/mina/x:1\r\nX-Evil: 1", "/mina/<b>:1",
    "/mina/x:$(id)", "/mina/x@sha256:1", "mina", "", ":", "/", "/mina/" + "a" * 1000 + ":1",
    "/mina/x:" + "a" * 1000, "http://evil/mina:1", "/mina/x:1\0",
    "/MINA/x:1", "/mina/\u202e:1", "/mina/ａ:1",
]  # fmt: skip


@pytest.mark.parametrize("name", NAMES)
async def test_a_name_is_a_name(user: Client, name: str) -> None:
    created = await user.create("Dockerfile", name=name, dockerfile="FROM scratch")
    assert created["__typename"] == "ValidationError", created
    assert {field["field"] for field in created["fields"]} == {"name"}
    assert "\x00" not in created["message"]
    assert "\r" not in created["message"]


async def test_a_push_goes_where_the_policy_says(user: Client) -> None:
    async def create(name: str, **given: object) -> tuple[str, str]:
        created = await user.create("Dockerfile", name=name, dockerfile="FROM scratch", **given)
        return created["__typename"], created.get("message", "")

    assert (await create("/mina/fine:1"))[0] == "CreateImagePayload"
    kind, message = await create("/eve/stolen:1")
    assert kind == "ForbiddenError"
    assert message == "You may not push to /eve/stolen. Yours to push to: `/mina/**`, `/shared/**`."
    assert (await create("/shared/new:1"))[0] == "CreateImagePayload"
    kind, message = await create("/shared/other:1", overwrite=True)
    assert kind == "ForbiddenError"
    assert "may not be overwritten" in message


GUESSES = ["Image:1", "Image:01", "Image:-1", "Image:9223372036854775808", "Build:1e3", "Image:١",
           "User:1", ":", "Image", "Image:1 OR 1=1"]  # fmt: skip


@pytest.mark.parametrize("guess", GUESSES)
async def test_a_guessed_id_opens_nothing_hidden(user: Client, guess: str) -> None:
    from base64 import b64encode

    for id_ in (guess, b64encode(guess.encode()).decode()):
        query = "query($id: ID!) { node(id: $id) { id } image(id: $id) { name visibility } }"
        answer = await user.execute(query, id=id_)
        assert not answer.get("errors"), answer
        if answer["data"]["image"]:
            assert answer["data"]["image"]["visibility"] == "PUBLIC"


async def test_the_audit_log_says_who_did_what_and_no_secret(user: Client, exposed: Server) -> None:
    given = {"name": "/mina/audited:1", "url": "https://127.0.0.1:1/a/b", "ref": "main",
             "token": "glpat-do-not-log-me"}  # fmt: skip
    await user.create("Git", **given)
    await user.create(
        "Dockerfile", name="/eve/audited:1", dockerfile="FROM scratch\nLABEL a=do-not-log-me"
    )
    await user.execute('{ nonsense(token: "do-not-log-me") }')
    await user.execute("mutation($i: UpdateImageInput!) { updateImage(id: 1, input: $i) { id } }",
                       i={"token": "do-not-log-me"})  # fmt: skip
    log = exposed.log.read_text()
    lines = [line for line in log.splitlines() if "darkroom.audit" in line]
    assert any(
        'user="mina" operation="mutation" fields="createImageFromDockerfile" '
        'name="/eve/audited:1" outcome="ForbiddenError"' in line
        for line in lines
    )
    assert any('fields="nonsense" outcome="refused"' in line for line in lines)
    assert "do-not-log-me" not in log
    assert user.headers["Authorization"].split()[1] not in log


async def test_refused_requests_and_downloads_are_in_the_audit_log(
    user: Client, exposed: Server
) -> None:
    async with user.session.post(f"{user.url}/graphql", json={"query": "{ __typename }"}) as answer:
        assert answer.status == 401
    url = f"{user.url}/builds/4711/log"
    async with user.session.get(url, headers=user.headers) as answer:
        assert answer.status == 404
    log = exposed.log.read_text()
    assert 'user="" from="127.0.0.1" outcome="401"' in log
    assert 'user="mina" from="127.0.0.1" download="log of build 4711" outcome="404"' in log
