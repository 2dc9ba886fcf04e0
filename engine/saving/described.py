"""A container as its pod describes it, kept on record without the values of secrets."""

import re
from collections.abc import Mapping
from typing import Any

from engine.cluster import Pod

HIDDEN = "***"
# Annotations that repeat the whole object, with every value in it.
_COPIES = {"kubectl.kubernetes.io/last-applied-configuration"}
_SECRET = re.compile(r"pass(word|wd)?|secret|token|credential|private|(api|access).?key", re.I)


def described(pod: Pod, container: str) -> dict[str, Any]:
    """The pod's identity, its volumes, and the container's specification and state."""
    metadata, spec = pod.document["metadata"], pod.document["spec"]
    status = pod.document.get("status") or {}
    annotations = metadata.get("annotations") or {}
    return {
        "metadata": {
            **{key: metadata[key] for key in _IDENTITY if key in metadata},
            "annotations": {key: value for key, value in annotations.items() if key not in _COPIES},
        },
        "spec": {
            **{key: spec[key] for key in ("nodeName", "serviceAccountName") if key in spec},
            "containers": [_without_secrets(_named(spec["containers"], container))],
            "volumes": spec.get("volumes") or [],
        },
        "status": {
            "startTime": status.get("startTime"),
            "containerStatuses": [_named(status.get("containerStatuses") or [], container)],
        },
    }


def mounts(pod: Pod, container: str) -> list[dict[str, Any]]:
    """What is mounted into the container, and is therefore not in its image."""
    spec = pod.document["spec"]
    volumes = {volume["name"]: volume for volume in spec.get("volumes") or []}
    return [
        {
            "path": mount["mountPath"],
            "volume": _kind(volumes.get(mount["name"], {})),
            "readOnly": bool(mount.get("readOnly")),
        }
        for mount in _named(spec["containers"], container).get("volumeMounts") or []
    ]


_IDENTITY = ("namespace", "name", "uid", "creationTimestamp", "labels", "ownerReferences")


def _kind(volume: Mapping[str, Any]) -> str:
    """`persistentVolumeClaim data`, `emptyDir`: what a volume is, and of what."""
    kind = next((key for key in volume if key != "name"), "unknown")
    source = volume.get(kind)
    details: Mapping[str, Any] = source if isinstance(source, Mapping) else {}
    names = (details.get(key) for key in ("claimName", "secretName", "name", "path"))
    return " ".join(filter(None, (kind, next(filter(None, names), ""))))


def _named(entries: list[Any], name: str) -> dict[str, Any]:
    return next((dict(entry) for entry in entries if entry.get("name") == name), {})


def _without_secrets(container: dict[str, Any]) -> dict[str, Any]:
    """References to secrets stay; what was typed in under a telling name does not."""
    env = [
        {**entry, "value": HIDDEN}
        if entry.get("value") and _SECRET.search(entry["name"])
        else entry
        for entry in container.get("env") or []
    ]
    return {**container, "env": env} if env else container
