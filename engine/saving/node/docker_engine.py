"""What saving asks of a Docker Engine beyond what building does."""

import io
import json
import tarfile
from collections.abc import AsyncIterator
from contextlib import aclosing
from dataclasses import dataclass
from typing import Any

from aiodocker import DockerError

from engine.docker.client import DockerEngine
from engine.errors import BuildFailed
from engine.registry.digest import digest_of
from engine.saving.events import Change
from engine.saving.plan import LABEL
from models.enums import FailureCode, FileChange

_KINDS = (FileChange.CHANGED, FileChange.ADDED, FileChange.DELETED)
"""What the engine numbers 0, 1 and 2."""
_NOT_FOUND = 404


@dataclass(frozen=True, slots=True)
class RunningContainer:
    """A container of the engine."""

    id: str
    running: bool
    paused: bool
    image: str
    """The id of the image that it was made from."""
    written: int
    """Bytes beyond the image."""


class NodeEngine(DockerEngine):
    """The Docker Engine of a node."""

    async def container(self, id_: str) -> RunningContainer:
        """The container as it is now. Raises BuildFailed(CONTAINER_NOT_FOUND)."""
        with self._talking(f"show the container {id_[:12]}"):
            try:
                found = await self._docker.containers.container(id_).show(size=1)
            except DockerError as error:
                if error.status == _NOT_FOUND:
                    raise _gone() from error
                raise
        return RunningContainer(
            id=found["Id"],
            running=bool(found["State"]["Running"]),
            paused=bool(found["State"]["Paused"]),
            image=found["Image"],
            written=int(found.get("SizeRw") or 0),
        )

    async def changes(self, id_: str) -> list[Change]:
        """What the container added, changed and deleted, without sizes."""
        with self._talking("list what the container changed"):
            found = await self._docker._query_json(f"containers/{id_}/changes", "GET") or []
        return [Change(change["Path"], _KINDS[change["Kind"]], None) for change in found]

    async def commit(self, id_: str, key: str, *, pause: bool) -> str:
        """Make an image of the container, labelled with the saving's key; its id.

        The engine pauses the container while it reads, and lets it go on whatever becomes of us.
        """
        with self._talking("commit the container"):
            try:
                answer = await self._docker.containers.container(id_).commit(
                    changes=[f'LABEL {LABEL}="{key}"'], pause=pause
                )
            except DockerError as error:
                if error.status == _NOT_FOUND:
                    raise _gone() from error
                raise BuildFailed(
                    FailureCode.COMMIT_FAILED,
                    f"The Docker Engine could not read the container: {error.message}.",
                ) from error
        return str(answer["Id"])

    async def unpause(self, id_: str) -> None:
        """Let a paused container go on."""
        with self._talking("let the container go on"):
            await self._docker.containers.container(id_).unpause()

    async def description(self, image: str) -> dict[str, Any]:
        """All that the engine says of an image."""
        with self._talking("show the container's image"):
            return dict(await self._docker.images.inspect(image))

    async def history(self, image: str) -> list[dict[str, Any]]:
        """How an image came to be, newest step first."""
        with self._talking("show the history of the container's image"):
            steps: Any = await self._docker.images.history(image)
        return list(steps)

    async def with_config(self, config: bytes) -> str:
        """An image of layers that the engine has, with a config of our own; its id.

        `docker load` reads no layer that is there already, so the archive is the config alone.
        Raises BuildFailed.
        """
        try:
            await self._load(_archive(config))
        except DockerError as error:
            raise BuildFailed(
                FailureCode.COMMIT_FAILED,
                f"The Docker Engine did not take the image's config: {error.message}.",
            ) from error
        return digest_of(config)

    async def _load(self, archive: bytes) -> None:
        async def body() -> AsyncIterator[bytes]:
            yield archive

        headers = {"Content-Type": "application/x-tar"}
        messages = self.messages("images/load", {"quiet": "1"}, headers, body())
        async with aclosing(messages):
            async for _ in messages:
                pass


def _archive(config: bytes) -> bytes:
    """An archive as `docker save` writes it, of an image whose layers are elsewhere."""
    name = f"{digest_of(config).partition(':')[2]}.json"
    layers = json.loads(config)["rootfs"]["diff_ids"]
    manifest = [
        {
            "Config": name,
            "RepoTags": None,
            "Layers": [f"{layer.partition(':')[2]}/layer.tar" for layer in layers],
        }
    ]
    output = io.BytesIO()
    with tarfile.open(fileobj=output, mode="w") as archive:
        for path, content in ((name, config), ("manifest.json", json.dumps(manifest).encode())):
            entry = tarfile.TarInfo(path)
            entry.size = len(content)
            archive.addfile(entry, io.BytesIO(content))
    return output.getvalue()


def _gone() -> BuildFailed:
    return BuildFailed(
        FailureCode.CONTAINER_NOT_FOUND,
        "The container is gone from its node. Save one that runs.",
    )
