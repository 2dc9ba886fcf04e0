"""Saving from a Docker Engine: it commits and pushes; the config between the two is ours.

The engine's own commit would write into the image what the pod added to it: its command, and its
environment, which may hold secrets. So the committed layers get the image's own config.
"""

import contextlib
import json
from collections.abc import AsyncIterator
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from typing import Any

from engine.errors import BuildFailed
from engine.registry import Credentials, Registry, RegistryUnreachable
from engine.saving.events import Change, Made, Phase, Saved
from engine.saving.node.checks import check
from engine.saving.node.docker_engine import NodeEngine, RunningContainer
from engine.saving.node.image import extend_config
from engine.saving.node.layer import Layer, survey
from engine.saving.node.pipes import consume
from engine.saving.node.push import Pusher
from engine.saving.node.report import Report
from engine.saving.plan import LABEL, Plan
from engine.sizes import format_bytes
from models.enums import FailureCode

_COPIES = 1.0
"""The engine keeps what was written once more, as a layer."""
_MOST_SURVEYED = 512 * 1024**2
"""Bytes of a compressed layer that are read again, to learn the sizes of the files in it."""


@dataclass(frozen=True, slots=True)
class DockerSaving:
    """One container of one engine, being saved."""

    plan: Plan
    engine: NodeEngine
    registry: Registry
    credentials: Credentials | None
    report: Report

    async def save(self) -> Saved:
        """Save the container. Raises BuildFailed and RegistryError."""
        info = await self.engine.info()
        with self.report.phase(Phase.CHECK):
            container = await self._check(info.image_store)
        changes = await self.engine.changes(container.id)
        committed = await self._commit(container)
        image = await self._with_own_config(container, committed)
        self.report.tell(Made(image))
        with self.report.phase(Phase.PUSH):
            digest = await self._push(image)
        layer_size, layer = await self._survey(digest)
        if layer:
            changes = _with_sizes(changes, layer)
        self.report.changes(changes)
        return Saved(
            digest=digest,
            runtime_name=info.name,
            runtime_version=info.version,
            base_digest=await self._base_digest(container.image),
            written=layer.content if layer else container.written,
            layer_size=layer_size,
            changes=len(changes),
        )

    async def clean(self) -> None:
        """Remove the images that carry this saving's key, with all their names."""
        for image in await self.engine.leftovers(f"{LABEL}={self.plan.key}"):
            # Not its parents: one of them is the container's own image.
            await self.engine.remove_image(image.id, force=True, noprune=True)

    async def _check(self, image_store: str) -> RunningContainer:
        container = await self.engine.container(self.plan.container_id)
        if not container.running:
            raise BuildFailed(
                FailureCode.CONTAINER_NOT_RUNNING,
                "The container has ended. Only a container that runs can be saved.",
            )
        if image_store == "containerd":
            raise BuildFailed(
                FailureCode.COMMIT_FAILED,
                "The node's Docker Engine keeps its images in containerd's store, from which "
                "Darkroom cannot save. Ask an administrator.",
            )
        await check(self.plan, self.registry, container.written, _COPIES, self.report)
        return container

    async def _commit(self, container: RunningContainer) -> str:
        if not self.plan.pause or container.paused:
            self.report.say("It is not paused.")
            with self.report.phase(Phase.COMMIT):
                return await self.engine.commit(container.id, self.plan.key, pause=False)
        with self.report.phase(Phase.PAUSE):
            self.report.say("The engine pauses the container for as long as it reads.")
        try:
            with self.report.phase(Phase.COMMIT):
                return await self.engine.commit(container.id, self.plan.key, pause=True)
        finally:
            with self.report.phase(Phase.RESUME):
                await self._see_that_it_runs(container.id)

    async def _see_that_it_runs(self, container: str) -> None:
        """The engine has let it go on by itself, except where it failed to."""
        with contextlib.suppress(BuildFailed):  # gone by now: nothing is left to go on
            if (await self.engine.container(container)).paused:
                await self.engine.unpause(container)

    async def _with_own_config(self, container: RunningContainer, committed: str) -> str:
        base = await self.engine.description(container.image)
        made = await self.engine.description(committed)
        config = await self._base_config(base)
        top = made["RootFS"]["Layers"][-1]
        if made["RootFS"]["Layers"][:-1] != base["RootFS"]["Layers"]:
            raise BuildFailed(
                FailureCode.COMMIT_FAILED, "What the engine committed does not stand on its image."
            )
        extended = extend_config(config, top, self.plan, datetime.now(UTC))
        # By this label the image is found again, should this process be killed.
        extended["config"]["Labels"][LABEL] = self.plan.key
        return await self.engine.with_config(json.dumps(extended).encode())

    async def _base_config(self, base: dict[str, Any]) -> dict[str, Any]:
        """The image's config, put together from what the engine tells of it."""
        config = {
            "created": base.get("Created"),
            "author": base.get("Author") or None,
            "architecture": base["Architecture"],
            "variant": base.get("Variant") or None,
            "os": base["Os"],
            "config": base.get("Config") or {},
            "rootfs": {"type": "layers", "diff_ids": base["RootFS"]["Layers"]},
            "history": _history(
                await self.engine.history(base["Id"]), len(base["RootFS"]["Layers"])
            ),
        }
        return {key: value for key, value in config.items() if value is not None}

    async def _push(self, image: str) -> str:
        plan = self.plan
        pusher = Pusher(plan, self.registry, self.report)

        async def push() -> str:
            try:
                return await self.engine.push(
                    f"{plan.registry}/{plan.repository}",
                    plan.tag,
                    self.credentials,
                    self.report.progress,
                )
            except BuildFailed as failure:
                if failure.code is FailureCode.REGISTRY_UNREACHABLE:
                    raise RegistryUnreachable(failure.message) from failure
                raise

        async with self._named(image):
            return await pusher.again_and_again(push)

    @contextlib.asynccontextmanager
    async def _named(self, image: str) -> AsyncIterator[None]:
        """Give the image its name on the node; afterwards the name is what it was before."""
        plan = self.plan
        repository = f"{plan.registry}/{plan.repository}"
        before = await self.engine.image(plan.reference)
        await self.engine.tag(image, repository, plan.tag)
        try:
            yield
        finally:
            if before:
                await self.engine.tag(before.id, repository, plan.tag)
            else:
                await self.engine.remove_image(plan.reference, noprune=True)

    async def _survey(self, digest: str) -> tuple[int, Layer | None]:
        """The new layer's size in the registry, and what it holds unless that is too much."""
        image = await self.registry.manifest(self.plan.repository, digest)
        layer = image.layers[-1]
        if layer.size > _MOST_SURVEYED:
            self.report.say("The layer is large: the sizes of its files are not measured.")
            return layer.size, None
        blob = self.registry.blob(self.plan.repository, layer.digest)
        found = await consume(blob, lambda file: survey(file, lambda _: False))
        self.report.say(
            f"{len(found.changes)} files differ from the base image, "
            f"{format_bytes(found.content)}; {format_bytes(layer.size)} compressed."
        )
        return layer.size, found

    async def _base_digest(self, image: str) -> str | None:
        """The digest by which the container's image was pulled."""
        found = await self.engine.image(image)
        names = [name for name in (found.references if found else ()) if "@" in name]
        ours = [name for name in names if name.partition("@")[0] == _repository(self.plan.image)]
        return next((name.partition("@")[2] for name in (*ours, *names)), None)


def _with_sizes(changes: list[Change], layer: Layer) -> list[Change]:
    """The engine's kinds with the layer's sizes; folders, which a layer only leads through, go."""
    sizes = {change.path: change.size for change in layer.changes}
    return [replace(change, size=sizes[change.path]) for change in changes if change.path in sizes]


def _history(steps: list[dict[str, Any]], layers: int) -> list[dict[str, Any]] | None:
    """The engine's history as a config has it; None when it cannot be told which steps made layers.

    The engine tells sizes, and a step without one may have made an empty layer all the same.
    """
    if sum(1 for step in steps if step["Size"]) != layers:
        return None
    return [
        {
            "created": datetime.fromtimestamp(step["Created"], UTC).isoformat(),
            "created_by": step["CreatedBy"],
            **({"comment": step["Comment"]} if step.get("Comment") else {}),
            **({} if step["Size"] else {"empty_layer": True}),
        }
        for step in reversed(steps)
    ]


def _repository(image: str) -> str:
    name = image.partition("@")[0]
    before, slash, last = name.rpartition("/")
    return f"{before}{slash}{last.partition(':')[0]}"
