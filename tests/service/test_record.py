"""The whole record of a build as JSON, held to its documented schema."""

import hashlib
import io
import json
import tarfile
from typing import Any

import pytest
from jsonschema import Draft202012Validator

from tests.fixtures.git import GitServer
from tests.fixtures.service import ROOT, Client
from tests.service.test_dockerfile import inspect, new_name

SCHEMA = json.loads((ROOT / "docs" / "record.schema.json").read_text())
VALIDATOR = Draft202012Validator(SCHEMA, format_checker=Draft202012Validator.FORMAT_CHECKER)


async def record_of(client: Client, id_: str) -> dict[str, Any]:
    """A build's record, which must be as the schema says."""
    found: dict[str, Any] = await client.ask(RECORD, id=id_)
    record: dict[str, Any] = found["record"]
    assert [error.message for error in VALIDATOR.iter_errors(record)] == []
    return record


def test_the_schema_is_one_and_describes_every_property() -> None:
    Draft202012Validator.check_schema(SCHEMA)
    open_objects = [
        path for path, node in _nodes(SCHEMA) if "properties" in node and not _closed(node)
    ]
    assert open_objects == []


async def test_a_build_from_git_that_succeeded(
    client: Client, git_server: GitServer, base: str
) -> None:
    dockerfile = f"FROM {base}\nCOPY file /\nRUN true\n"
    repository = git_server.create(
        f"{new_name().split('/')[2].split(':')[0]}.git",
        {"main": {"Dockerfile": dockerfile, "file": "a\n"}},
    )
    url = git_server.url(repository.path.name)
    given = {"name": new_name(), "url": url, "ref": "main"}
    created = await client.create("Git", **given)
    build = await client.finished(created)
    record = await record_of(client, build["id"])

    assert (record["version"], record["image"], record["number"]) == (1, given["name"], 1)
    source = record["request"]["source"]
    assert {key: source[key] for key in ("url", "ref")} == {"url": url, "ref": "main"}
    inputs = record["inputs"]
    assert inputs["commit"]["sha"] == repository.sha("refs/heads/main")
    assert inputs["context"]["digest"] == build["contextDigest"]
    text = hashlib.sha256(dockerfile.encode()).hexdigest()
    assert inputs["dockerfile"] == {
        "path": "Dockerfile",
        "digest": f"sha256:{text}",
        "text": dockerfile,
    }
    assert inputs["bases"] == [{"reference": base, "digest": inspect(base)["Digest"]}]
    assert record["environment"]["builder"] == "buildkit"
    assert record["timings"]["tries"] == 1
    assert [step["name"] for step in record["timings"]["steps"]] == [
        step["name"] for step in build["steps"]
    ]
    image = record["result"]["image"]
    assert image["digest"] == build["digest"]
    assert inspect(image["reference"])["Digest"] == build["digest"]
    assert record["result"]["log"]["lines"] == (await client.build(build["id"]))["lineCount"]


async def test_uploads_failures_cancels_and_rebuilds(client: Client, base: str) -> None:
    content = _archive({"Dockerfile": f"FROM {base}\nRUN exit 3\n"})
    uploaded = await client.upload("context.tar", content, name=new_name())
    await client.finished(uploaded)
    record = await record_of(client, uploaded["build"]["id"])
    digest = hashlib.sha256(content).hexdigest()
    assert record["inputs"]["upload"] == {"digest": f"sha256:{digest}", "size": len(content)}
    assert record["result"]["image"] is None
    assert record["result"]["failure"]["code"] == "STEP_FAILED"
    assert record["result"]["failure"]["step"]

    again = await client.ask(REBUILD, id=uploaded["image"]["id"])
    await client.ask(CANCEL, id=again["build"]["id"])
    await client.reached(again["build"]["id"], "CANCELED", "FAILED")
    record = await record_of(client, again["build"]["id"])
    assert record["number"] == 2
    assert record["request"]["repeats"]["number"] == 1
    assert record["request"]["repeats"]["pinned"] is True


@pytest.mark.parametrize("broken", ["version", "environment", "timings"])
async def test_the_schema_would_notice(client: Client, broken: str) -> None:
    text = "FROM scratch\nLABEL a=record\n"
    created = await client.create("Dockerfile", name=new_name(), dockerfile=text)
    await client.finished(created)
    record = await record_of(client, created["build"]["id"])
    assert not VALIDATOR.is_valid({**record, broken: {"more": 1}})
    assert not VALIDATOR.is_valid({key: record[key] for key in record if key != broken})


def _archive(files: dict[str, str]) -> bytes:
    buffer = io.BytesIO()
    with tarfile.open(fileobj=buffer, mode="w") as tar:
        for name, text in files.items():
            entry = tarfile.TarInfo(name)
            entry.size = len(text.encode())
            tar.addfile(entry, io.BytesIO(text.encode()))
    return buffer.getvalue()


def _nodes(node: Any, path: str = "") -> list[tuple[str, dict[str, Any]]]:
    if isinstance(node, list):
        return [found for n, item in enumerate(node) for found in _nodes(item, f"{path}/{n}")]
    if not isinstance(node, dict):
        return []
    below = [found for key, item in node.items() for found in _nodes(item, f"{path}/{key}")]
    return [(path, node), *below]


def _closed(node: dict[str, Any]) -> bool:
    """Whether what is not described may not be there, and what is described must."""
    return node.get("additionalProperties") is False and set(node["required"]) == set(
        node["properties"]
    )


RECORD = "query($id: ID!) { build(id: $id) { id record } }"
REBUILD = """mutation($id: ID!) { rebuildImage(id: $id) {
    ... on CreateImagePayload { build { id } } } }"""
CANCEL = "mutation($id: ID!) { cancelBuild(id: $id) { __typename } }"
