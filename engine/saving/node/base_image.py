"""The image that a container was made from, as containerd still has it."""

from collections.abc import AsyncIterator
from dataclasses import dataclass

from engine.containerd.client import Containerd, Content
from engine.errors import BuildFailed
from engine.reference import BadReference, Reference, parse_reference
from engine.registry.fields import parse_object
from engine.registry.images import DOCUMENT_LIMIT
from engine.registry.manifest import INDEXES
from engine.saving.node.image import Json, chain_id
from engine.saving.node.push import Blob
from engine.saving.plan import Plan
from models.enums import FailureCode


@dataclass(frozen=True, slots=True)
class BaseImage:
    """An image of the node."""

    digest: str
    """What its name stands for: the index's where there is one."""
    manifest: Json
    config: Json
    reference: Reference | None
    """Where it was pulled from, if that is known."""

    @property
    def layers(self) -> list[Blob]:
        """The base's first."""
        return [Blob(layer["digest"], layer["size"]) for layer in self.manifest["layers"]]

    @property
    def chain_id(self) -> str:
        """What the container's snapshot stands on."""
        return chain_id(self.config["rootfs"]["diff_ids"])


async def find_base(containerd: Containerd, plan: Plan, name: str, chain: str) -> BaseImage:
    """The image whose layers are `chain`, the chain ID of the container's snapshot.

    A tag may have moved since the container was made, so the name alone is not believed. Raises
    BuildFailed.
    """
    for candidate in dict.fromkeys((name, plan.image_id, plan.image)):
        target = await containerd.image(candidate)
        if target is None:
            continue
        async for manifest in _manifests(containerd, target):
            config = await _document(containerd, manifest["config"]["digest"])
            if config and chain_id(config["rootfs"]["diff_ids"]) == chain:
                return BaseImage(target.digest, manifest, config, _reference(candidate))
    raise BuildFailed(
        FailureCode.COMMIT_FAILED,
        f"The node no longer knows the image {plan.image} as the container was made from it, so "
        "it cannot be stacked upon. Restart the task, and save then.",
    )


async def _manifests(containerd: Containerd, target: Content) -> AsyncIterator[Json]:
    """The manifests of an image's platforms, as far as the node has them: usually one."""
    document = await _document(containerd, target.digest)
    if document and target.media_type not in INDEXES:
        yield document
    for entry in (document or {}).get("manifests") or []:
        if manifest := await _document(containerd, entry["digest"]):
            yield manifest


async def _document(containerd: Containerd, digest: str) -> Json | None:
    """A JSON document of the content store; None when it is not there."""
    found = await containerd.content(digest)
    if found is None or found.size > DOCUMENT_LIMIT:
        return None
    return parse_object(b"".join([data async for data in containerd.read(digest)]))


def _reference(name: str) -> Reference | None:
    try:
        return parse_reference(name)
    except BadReference:  # CRI also names images by the digest of their config alone
        return None
