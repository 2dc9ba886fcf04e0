"""What is wrong with an input is told at once, field by field."""

import asyncio

import pytest

from tests.fixtures.service import Client
from tests.service.problems import fields
from tests.service.test_dockerfile import new_name


async def test_all_problems_come_at_once(client: Client) -> None:
    answer = await client.create(
        "Dockerfile",
        name="/Demo/Name",
        tags=["framework/pytorch", "framework/pytroch"],
        description="bell \a",
        dockerfile="FROM scratch\nCOPPY a b\n",
    )
    found = fields(answer)
    assert found.keys() == {"name", "tags", "description", "dockerfile"}
    assert "framework/pytorch" in found["tags"]
    assert "line 2" in found["dockerfile"].lower()
    uploaded = await client.upload(
        "a", b"\x7fELF\xff", name="", tags=["x"], description="x" * 10_001
    )
    assert fields(uploaded).keys() == {"name", "tags", "description", "file"}
    for field, message in fields(uploaded).items():
        assert f"{field}: {message}" in uploaded["message"]


async def test_a_name_that_is_taken_is_a_conflict(client: Client) -> None:
    name = new_name()
    first = await client.create("Dockerfile", name=name, dockerfile="FROM scratch\nLABEL a=b\n")
    for answer in (
        await client.create("Dockerfile", name=name, dockerfile="FROM scratch\nLABEL a=b\n"),
        await client.upload("Dockerfile", b"FROM scratch\nLABEL a=b\n", name=name.lstrip("/")),
    ):
        assert answer["__typename"] == "ConflictError"
        assert answer["taken"] == {"id": first["image"]["id"], "name": name}
        assert name in answer["message"]


async def test_two_at_once_get_one_name_between_them(client: Client) -> None:
    name = new_name()
    answers = await asyncio.gather(
        *(
            client.create("Dockerfile", name=name, dockerfile="FROM scratch\nLABEL a=b\n")
            for _ in range(5)
        )
    )
    assert sorted(answer["__typename"] for answer in answers) == [
        *["ConflictError"] * 4,
        "CreateImagePayload",
    ]


@pytest.mark.parametrize(
    ("name", "told"),
    [
        ("", "name is needed"),
        ("/project/name", "no tag"),
        ("/name:1", "no project"),
        ("/Project/name:1", "upper-case"),
        ("/project/na me:1", "character"),
        ("/project/name:-1", "tag"),
        ("/project/name:" + "t" * 129, "128"),
        ("/project//name:1", "empty part"),
        ("/project/-name:1", "begin and end"),
        ("/project/a...b:1", "side by side"),
        ("/project/name@sha256:" + "0" * 64, "digest"),
        ("registry.example.com:5000/project/name:1", "registry's address"),
        ("/project/" + "n" * 255 + ":1", "255"),
        ("/project/../name:1", "begin and end"),
    ],
)
async def test_a_name_follows_the_grammar_of_references(
    client: Client, name: str, told: str
) -> None:
    answer = await client.create("Dockerfile", name=name, dockerfile="FROM scratch\nLABEL a=b\n")
    assert fields(answer).keys() == {"name"}
    assert told in fields(answer)["name"]


async def test_control_characters_of_a_name_are_not_repeated(client: Client) -> None:
    for name in ("/project/na\x1b[31mme:1", "/project/na\nme:1", "/project/name:1\r\n", "/p/\0:1"):
        answer = await client.create("Dockerfile", name=name, dockerfile="FROM scratch\nLABEL a=b")
        message = fields(answer)["name"]
        assert message.isprintable(), ascii(message)


async def test_a_typed_dockerfile_that_copies_points_to_the_upload(client: Client) -> None:
    answer = await client.create(
        "Dockerfile",
        name=new_name(),
        dockerfile="FROM scratch AS a\nCOPY --from=a /x /y\nADD https://example.com/a /\n"
        "COPY app.py requirements.txt /app/\n",
    )
    message = fields(answer)["dockerfile"]
    assert "Line 4" in message
    assert "`app.py`, `requirements.txt`" in message
    assert "createImageFromUpload" in message
    uploaded = await client.upload("Dockerfile", b"FROM scratch\nCOPY a /\n", name=new_name())
    assert "archive" in fields(uploaded)["file"]


async def test_empty_and_huge_dockerfiles_are_refused(client: Client) -> None:
    for text in ("", "\n", "# only a comment\n"):
        answer = await client.create("Dockerfile", name=new_name(), dockerfile=text)
        assert "empty" in fields(answer)["dockerfile"]
    huge = "FROM scratch\n" + "# comment\n" * 60_000
    answer = await client.create("Dockerfile", name=new_name(), dockerfile=huge)
    assert "512" in fields(answer)["dockerfile"]
    assert "empty" in fields(await client.upload("a", b"", name=new_name()))["file"]
