"""Nouns made from rows: what they say, and what they ask for and when."""

from typing import Any

import pytest

import models
from models.enums import BuildStatus, FailureCode, Origin
from schema import ids
from schema.context import Context, Viewer
from tests.rows import NOON
from tests.schema.memory import Memory, build_row, image_row, tag_row
from tests.schema.roots import Query, schema


async def ask(memory: Memory, query: str, **variables: Any) -> dict[str, Any]:
    answer = await schema.execute(
        query,
        variables,
        context_value=Context(viewer=Viewer("mina"), reads=memory),
        root_value=Query(given=memory.image),
    )
    assert answer.errors is None
    assert answer.data is not None
    return answer.data


async def test_an_image_says_what_its_row_says_and_reads_nothing() -> None:
    memory = Memory(image_row())

    answer = await ask(
        memory,
        """{ image { id name reference registry repository registryTag visibility description
        owner { name } origin status digest size platform createdAt updatedAt
        source { __typename ... on DockerfileSource { dockerfile } } } }""",
    )

    assert answer["image"] == {
        "id": ids.encode("Image", 7),
        "name": "/aihub/demo_api:0.1",
        "reference": "harbor.example.com/aihub/demo_api:0.1",
        "registry": "harbor.example.com",
        "repository": "aihub/demo_api",
        "registryTag": "0.1",
        "visibility": "PUBLIC",
        "description": "",
        "owner": {"name": "mina"},
        "origin": "DOCKERFILE",
        "status": "READY",
        "digest": "sha256:1",
        "size": 2**40,
        "platform": "linux/amd64",
        "createdAt": "2026-01-31T12:00:00Z",
        "updatedAt": "2026-01-31T12:00:00Z",
        "source": {"__typename": "DockerfileSource", "dockerfile": "FROM scratch"},
    }
    assert memory.asked == []


@pytest.mark.parametrize(
    ("origin", "entered", "expected"),
    [
        (
            Origin.GIT,
            {"url": "u", "ref": "r", "dockerfilePath": "d", "contextPath": "/", "token": "s"},
            {"__typename": "GitSource", "url": "u", "contextPath": "/", "tokenName": None},
        ),
        (
            Origin.UPLOAD,
            {"filename": "f", "size": 3, "sha256": "0", "dockerfilePath": "d"},
            {"__typename": "UploadSource", "size": 3, "dockerfilePath": "d"},
        ),
        (Origin.EXISTING, {"reference": "r"}, {"__typename": "ExistingSource", "reference": "r"}),
        (
            Origin.TRAINING_TASK,
            {"task": "t", "namespace": "n", "pod": "p", "container": "c"},
            {"__typename": "TrainingTaskSource", "task": "t"},
        ),
        (
            Origin.CONTAINER,
            {"namespace": "n", "pod": "p", "container": "c"},
            {"__typename": "ContainerSource", "container": "c"},
        ),
    ],
)
async def test_a_source_is_of_the_type_of_its_origin(
    origin: Origin, entered: dict[str, Any], expected: dict[str, Any]
) -> None:
    answer = await ask(
        Memory(image_row(origin=origin, source=entered)),
        """{ image { source { __typename ... on GitSource { url contextPath tokenName }
        ... on UploadSource { size dockerfilePath } ... on ExistingSource { reference }
        ... on TrainingTaskSource { task } ... on ContainerSource { container } } } }""",
    )

    assert answer["image"]["source"] == expected


async def test_builds_come_page_by_page_in_both_forms() -> None:
    memory = Memory(image_row(), [build_row(id=n, number=n) for n in (1, 2, 3)])
    query = """query ($after: String) { image { builds(first: 2, after: $after) {
        edges { cursor node { number } } nodes { number } totalCount
        pageInfo { hasNextPage hasPreviousPage startCursor endCursor } } } }"""

    first = (await ask(memory, query))["image"]["builds"]
    last = (await ask(memory, query, after=first["pageInfo"]["endCursor"]))["image"]["builds"]

    assert [edge["node"]["number"] for edge in first["edges"]] == [1, 2]
    assert first["nodes"] == [{"number": 1}, {"number": 2}]
    assert first["totalCount"] == 3
    assert first["pageInfo"] == {
        "hasNextPage": True,
        "hasPreviousPage": False,
        "startCursor": first["edges"][0]["cursor"],
        "endCursor": first["edges"][1]["cursor"],
    }
    assert last["nodes"] == [{"number": 3}]
    assert last["pageInfo"]["hasNextPage"] is False
    assert last["pageInfo"]["hasPreviousPage"] is True


async def test_a_list_counts_only_what_is_selected() -> None:
    category = models.TagCategory(id=1, name="framework", title="Framework")
    memory = Memory(image_row(), tags=[tag_row(1, category, "torch")])

    await ask(memory, "{ images { nodes { name } edges { cursor } pageInfo { hasNextPage } } }")
    assert memory.asked == []

    answer = await ask(
        memory,
        """{ images { totalCount
        facets { category { title } values { count selected tag { slug } } }
        nodes { tags { slug name category { name tags { name } } } } } }""",
    )

    assert sorted(memory.asked) == ["category_tags", "count", "facets", "image_tags"]
    assert answer["images"]["totalCount"] == 1
    assert answer["images"]["facets"] == [
        {
            "category": {"title": "Framework"},
            "values": [{"count": 1, "selected": False, "tag": {"slug": "framework/torch"}}],
        }
    ]
    assert answer["images"]["nodes"][0]["tags"] == [
        {
            "slug": "framework/torch",
            "name": "torch",
            "category": {"name": "framework", "tags": [{"name": "torch"}]},
        }
    ]


async def test_a_build_tells_how_it_failed_and_from_what() -> None:
    failed = build_row(
        status=BuildStatus.FAILED,
        failure_code=FailureCode.REGISTRY_UNREACHABLE,
        failure_message="The registry did not answer.",
        failure_step=2,
        finished_at=NOON,
        commit={
            "sha": "1f",
            "author": "Mina <mina@example.com>",
            "message": "Start",
            "committed_at": "2026-01-31T13:00:00+01:00",
        },
        bases=[{"reference": "python:3.12", "digest": "sha256:2"}, {"reference": "scratch"}],
        environment={"engine": "Docker Engine", "engineVersion": "28.5", "builder": "BuildKit"},
        context_size=2**33,
    )
    memory = Memory(image_row(), [failed])

    answer = await ask(
        memory,
        """{ image { latestBuild { number status attempt failure { code message step blame }
        commit { committedAt } bases { reference digest } contextSize lineCount
        engine { name version builder darkroom } image { name } createdBy { name admin }
        steps { index name status } log(after: 4, maxLines: 9) { endCursor chunks { text } }
        logUrl rebuildOf { id } startedAt finishedAt } } }""",
    )

    assert answer["image"]["latestBuild"] == {
        "number": 1,
        "status": "FAILED",
        "attempt": 1,
        "failure": {
            "code": "REGISTRY_UNREACHABLE",
            "message": "The registry did not answer.",
            "step": 2,
            "blame": "SYSTEM",
        },
        "commit": {"committedAt": "2026-01-31T12:00:00Z"},
        "bases": [
            {"reference": "python:3.12", "digest": "sha256:2"},
            {"reference": "scratch", "digest": None},
        ],
        "contextSize": 2**33,
        "lineCount": 2**20,
        "engine": {
            "name": "Docker Engine",
            "version": "28.5",
            "builder": "BuildKit",
            "darkroom": None,
        },
        "image": {"name": "/aihub/demo_api:0.1"},
        "createdBy": {"name": "mina", "admin": False},
        "steps": [{"index": 1, "name": "[1/1] RUN a", "status": "CACHED"}],
        "log": {"endCursor": 5, "chunks": [{"text": "a"}]},
        "logUrl": "https://darkroom.example.com/builds/1/log",
        "rebuildOf": None,
        "startedAt": None,
        "finishedAt": "2026-01-31T12:00:00Z",
    }
    assert "build_log 4 9" in memory.asked


async def test_a_build_leads_to_the_one_it_repeats() -> None:
    builds = [build_row(), build_row(id=2, number=2, rebuild_of_id=1)]

    answer = await ask(
        Memory(image_row(), builds),
        "{ image { latestBuild { rebuildOf { number failure { code } } } } }",
    )

    assert answer["image"]["latestBuild"]["rebuildOf"] == {"number": 1, "failure": None}


async def test_an_images_dockerfile_is_that_of_the_build_behind_its_digest() -> None:
    builds = [build_row(), build_row(id=2, number=2, dockerfile="FROM a")]

    answer = await ask(Memory(image_row(), builds), "{ image { dockerfile } }")
    registered = await ask(
        Memory(image_row(current_build_id=None)), "{ image { dockerfile latestBuild { id } } }"
    )

    assert answer["image"]["dockerfile"] == "FROM scratch"
    assert registered["image"] == {"dockerfile": None, "latestBuild": None}


async def test_interfaces_and_unions_find_their_types() -> None:
    answer = await ask(
        Memory(image_row()),
        """{ node { __typename id } conflict { __typename ... on Error { message }
        ... on ConflictError { image { name } } } invalid { __typename } }""",
    )

    assert answer == {
        "node": {"__typename": "Image", "id": ids.encode("Image", 7)},
        "conflict": {
            "__typename": "ConflictError",
            "message": "taken",
            "image": {"name": "/aihub/demo_api:0.1"},
        },
        "invalid": {"__typename": "ValidationError"},
    }
