"""An image from a typed Dockerfile, from the mutation to the registry."""

import json
import subprocess
from typing import Any
from uuid import uuid4

from engine.reference import parse_reference
from tests.fixtures.registry import RegistryServer
from tests.fixtures.service import Client


def new_name() -> str:
    return f"/tests/{uuid4().hex[:12]}:1.0"


def inspect(reference: str, *options: str) -> dict[str, Any]:
    """What an independent client reads."""
    done = subprocess.run(
        ["skopeo", "inspect", "--tls-verify=false", *options, f"docker://{reference}"],
        check=True,
        capture_output=True,
    )
    found: dict[str, Any] = json.loads(done.stdout)
    return found


async def test_a_typed_dockerfile_becomes_an_image_in_the_registry(
    client: Client, base: str, registry: RegistryServer
) -> None:
    name = new_name()
    dockerfile = f"FROM {base}\nRUN echo from-the-step > /made\nLABEL made=here\n"
    created = await client.create(
        "Dockerfile",
        name=name,
        dockerfile=dockerfile,
        tags=["framework/pytorch", "hardware/cpu"],
        visibility="PUBLIC",
        description="For the test.",
    )
    build = await client.finished(created)
    assert build["status"] == "SUCCEEDED", await client.log(build["id"])

    image = await client.image(created["image"]["id"])
    assert image["status"] == "READY"
    assert image["reference"] == f"{registry.host}{name}"
    assert [tag["slug"] for tag in image["tags"]] == ["framework/pytorch", "hardware/cpu"]
    assert image["visibility"] == "PUBLIC"
    assert image["dockerfile"] == dockerfile
    assert image["platform"] == "linux/amd64"
    found = inspect(image["reference"])
    assert found["Digest"] == image["digest"] == build["digest"]
    assert found["Labels"] == {"made": "here"}
    layers = inspect(image["reference"], "--raw")["layers"]
    assert image["size"] == sum(layer["size"] for layer in layers)


async def test_the_record_tells_what_went_in(client: Client, base: str) -> None:
    created = await client.create(
        "Dockerfile", name=new_name(), dockerfile=f"ARG BASE={base}\nFROM $BASE AS a\nRUN true\n"
    )
    build = await client.finished(created)
    digest = inspect(base)["Digest"]
    assert build["bases"] == [{"reference": base, "digest": digest}]
    assert build["contextDigest"].startswith("sha256:")
    names = [step["name"] for step in build["steps"]]
    assert "[2/2] RUN true" in names
    assert {step["status"] for step in build["steps"]} <= {"DONE", "CACHED"}
    log = await client.log(build["id"])
    assert f"Base image {base} is {digest}." in log
    assert parse_reference(base).tag == "1"
