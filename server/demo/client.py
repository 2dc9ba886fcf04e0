"""The demo as a user of the API: GraphQL over HTTP and WebSocket, and nothing else."""

import io
import json
import tarfile
from collections.abc import AsyncIterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import aiohttp

BUILD = "id number status digest size failure { message } logUrl"
CREATE = f"""
mutation ($input: CreateImageFromUploadInput!) {{
  createImageFromUpload(input: $input) {{
    __typename
    ... on Error {{ message }}
    ... on ConflictError {{ taken: image {{ id }} }}
    ... on CreateImagePayload {{ image {{ id reference }} build {{ {BUILD} }} }}
  }}
}}"""
REBUILD = f"""
mutation ($id: ID!) {{
  rebuildImage(id: $id, input: {{ pinned: false }}) {{
    __typename
    ... on Error {{ message }}
    ... on CreateImagePayload {{ image {{ id reference }} build {{ {BUILD} }} }}
  }}
}}"""
UPDATED = f"""
subscription ($id: ID!) {{
  buildUpdated(buildId: $id) {{
    {BUILD} steps {{ index name status startedAt finishedAt }}
  }}
}}"""
LOG = """
subscription ($id: ID!) {
  buildLog(buildId: $id) { ... on BuildLogChunk { step time text } }
}"""


class Refused(Exception):
    """The API answered with an error; the message is its own."""


@dataclass(frozen=True, slots=True)
class Client:
    """Speaks to the service at `url`."""

    session: aiohttp.ClientSession
    url: str

    async def create(self, name: str, context: Path, extra: dict[str, Path]) -> dict[str, Any]:
        """Create an image from a folder, or build it again when it is there. Raises Refused."""
        given = {
            "name": name,
            "file": None,
            "visibility": "PUBLIC",
            "tags": ["system/busybox"],
            "description": "The image of `make demo`.",
        }
        form = aiohttp.FormData()
        operations = {"query": CREATE, "variables": {"input": given}}
        form.add_field("operations", json.dumps(operations))
        form.add_field("map", json.dumps({"file": ["variables.input.file"]}))
        form.add_field("file", _packed(context, extra), filename=f"{context.name}.tar.gz")
        result = await self._post(data=form)
        if result["__typename"] == "ConflictError" and result["taken"]:
            body = {"query": REBUILD, "variables": {"id": result["taken"]["id"]}}
            result = await self._post(json=body)
        if result["__typename"] != "CreateImagePayload":
            raise Refused(result["message"])
        return result

    async def _post(self, **body: Any) -> dict[str, Any]:
        headers = {"X-Requested-With": "darkroom-demo"}
        async with self.session.post(f"{self.url}/graphql", headers=headers, **body) as answer:
            found = await answer.json(content_type=None)
        if found.get("errors"):
            raise Refused(found["errors"][0]["message"])
        result: dict[str, Any] = next(iter(found["data"].values()))
        return result

    async def follow(self, query: str, id_: str) -> AsyncIterator[dict[str, Any]]:
        """The events of a subscription to one build, by graphql-transport-ws."""
        async with self.session.ws_connect(
            f"{self.url}/graphql", protocols=["graphql-transport-ws"], max_msg_size=0
        ) as socket:
            await socket.send_json({"type": "connection_init"})
            payload = {"query": query, "variables": {"id": id_}}
            await socket.receive_json()
            await socket.send_json({"id": "1", "type": "subscribe", "payload": payload})
            async for raw in socket:
                message = raw.json()
                if message["type"] == "complete":
                    return
                if message["type"] == "next":
                    yield next(iter(message["payload"]["data"].values()))


def _packed(context: Path, extra: dict[str, Path]) -> bytes:
    """A folder as a tar.gz, with files from elsewhere added at its top."""
    buffer = io.BytesIO()
    with tarfile.open(fileobj=buffer, mode="w:gz") as archive:
        archive.add(context, arcname=".")
        for name, path in extra.items():
            archive.add(path.resolve(), arcname=name)
    return buffer.getvalue()
