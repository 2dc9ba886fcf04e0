"""What resolvers see of what a client gives, leaves out, or sets to null."""

from dataclasses import dataclass
from typing import Any

import pytest

from tests.schema.memory import image_row
from tests.schema.roots import Query, schema


async def answer(query: str, **variables: Any) -> str:
    result = await schema.execute(query, variables, root_value=Query(given=image_row()))
    assert result.errors is None
    assert result.data is not None
    return str(next(iter(result.data.values())))


async def test_an_update_tells_left_out_from_null() -> None:
    seen = await answer("{ update(input: {description: null, tags: []}) }")

    assert "description=None" in seen
    assert "tags=[]" in seen
    assert "visibility=UNSET" in seen
    assert "token=UNSET" in seen


async def test_what_is_left_out_of_a_git_input_takes_the_contracts_default() -> None:
    seen = await answer('{ git(input: {name: "/a:1", url: "u", ref: "main"}) }')

    assert "visibility=<Visibility.PRIVATE: 'PRIVATE'>" in seen
    assert "tags=[]" in seen
    assert "description=''" in seen
    assert "dockerfile_path='Dockerfile'" in seen
    assert "context_path='/'" in seen


@pytest.mark.parametrize(
    ("query", "pinned"),
    [
        ("{ rebuild }", "True"),
        ("{ rebuild(input: {}) }", "True"),
        ("{ rebuild(input: {pinned: false}) }", "False"),
    ],
)
async def test_a_rebuild_is_pinned_unless_told_otherwise(query: str, pinned: str) -> None:
    assert await answer(query) == f"RebuildImageInput(build=UNSET, pinned={pinned})"


@dataclass
class File:
    filename: str | None = "a.zip"
    size: int | None = 11

    async def read(self, size: int = -1) -> bytes:
        return b"PK and more"[:size]


UPLOAD = 'query ($file: Upload!) { upload(input: {name: "/a:1", file: $file}) }'


async def test_a_file_arrives_as_the_server_hands_it_over() -> None:
    assert await answer(UPLOAD, file=File()) == "a.zip: PK an"


async def test_text_in_the_place_of_a_file_is_refused() -> None:
    result = await schema.execute(UPLOAD, {"file": "a.zip"}, root_value=Query(given=image_row()))

    assert result.errors is not None
    assert "Expected a file of a multipart request" in result.errors[0].message
