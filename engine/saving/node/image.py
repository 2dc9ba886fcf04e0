"""The new image's config and manifest: the base's own, and one layer more."""

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any

from engine.registry import MediaType
from engine.registry.digest import digest_of
from engine.saving.plan import Plan

Json = Mapping[str, Any]


@dataclass(frozen=True, slots=True)
class NewLayer:
    """The layer that holds what the container wrote."""

    digest: str
    size: int
    """Bytes, compressed."""
    diff_id: str


@dataclass(frozen=True, slots=True)
class Document:
    """A config or manifest to store."""

    media_type: str
    body: bytes

    @property
    def digest(self) -> str:
        """Of the bytes."""
        return digest_of(self.body)

    @property
    def descriptor(self) -> dict[str, Any]:
        """How a manifest points at it."""
        return {"mediaType": self.media_type, "digest": self.digest, "size": len(self.body)}


def extend_config(base: Json, diff_id: str, plan: Plan, created: datetime) -> dict[str, Any]:
    """The base's config with one layer more.

    How it runs stays the image's own: what the pod added to it (command, environment, which may
    hold secrets) is the pod's. Fields that are not known here stay as well.
    """
    run = dict(base.get("config") or {})
    run["Labels"] = {**(run.get("Labels") or {}), **plan.labels}
    time = created.astimezone(UTC).isoformat().replace("+00:00", "Z")
    step = {
        "created": time,
        "created_by": f"darkroom commit {plan.container_id[:12]}",
        "author": plan.author,
        "comment": "What a running container wrote.",
    }
    rootfs = base.get("rootfs") or {}
    config = {
        **base,
        "created": time,
        "author": plan.author,
        "config": run,
        "rootfs": {"type": "layers", "diff_ids": [*(rootfs.get("diff_ids") or []), diff_id]},
    }
    if "history" in base or not rootfs.get("diff_ids"):
        config["history"] = [*(base.get("history") or []), step]
    # Docker's record of the container that a build step ran in: it says nothing of this one.
    for key in ("container", "container_config", "id", "parent"):
        config.pop(key, None)
    return config


def config_document(config: Json, base_manifest: Json) -> Document:
    """The config as it is stored, of the base's own family of media types."""
    kind = MediaType.DOCKER_CONFIG if _is_docker(base_manifest) else MediaType.OCI_CONFIG
    return Document(kind, _to_json(config))


def manifest_document(base: Json, config: Document, layer: NewLayer) -> Document:
    """The base's manifest with the new config and one layer more."""
    docker = _is_docker(base)
    kind = MediaType.DOCKER_MANIFEST if docker else MediaType.OCI_MANIFEST
    packed = MediaType.DOCKER_LAYER_GZIP if docker else MediaType.OCI_LAYER_GZIP
    added = {"mediaType": packed, "digest": layer.digest, "size": layer.size}
    body = {
        "schemaVersion": 2,
        "mediaType": kind,
        "config": config.descriptor,
        "layers": [*base["layers"], added],
    }
    return Document(kind, _to_json(body))


def chain_id(diff_ids: Sequence[str]) -> str:
    """What names a stack of layers (OCI image specification, "Layer ChainID")."""
    chain = diff_ids[0] if diff_ids else ""
    for diff_id in diff_ids[1:]:
        chain = digest_of(f"{chain} {diff_id}".encode())
    return chain


def _is_docker(manifest: Json) -> bool:
    config = manifest.get("config") or {}
    return bool(config.get("mediaType") == MediaType.DOCKER_CONFIG)


def _to_json(document: Json) -> bytes:
    return json.dumps(document, ensure_ascii=False, separators=(",", ":")).encode()
