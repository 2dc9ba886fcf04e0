"""The Kubernetes objects of one saving: a Job on the container's node, and the Secret it reads.

The Job has the runtime's socket, which is root's: user 0, and nothing beyond that.
"""

from dataclasses import dataclass
from typing import Any
from uuid import uuid4

from engine.installation import instance_of
from engine.registry import Credentials
from engine.saving.plan import CREDENTIALS, PLAN, REPORT, SOCKET, Plan
from models.enums import Runtime
from settings import Settings

CONTAINER = "commit"
BUILD = "darkroom/build"
"""The label that names the build's key in the database."""
INSTANCE = "darkroom/instance"
"""The label that tells one Darkroom's Jobs from another's in the same namespace."""
_GRACE_SECONDS = 60
"""What a Job that is stopped gets, to let the container go on and clean up."""


@dataclass(frozen=True, slots=True)
class Where:
    """The node that the Job must run on, and what runs containers there."""

    node: str
    runtime: Runtime


def labels(settings: Settings, build_id: int) -> dict[str, str]:
    """By which a build's Jobs are found again."""
    return {
        "app.kubernetes.io/name": "darkroom-save",
        "app.kubernetes.io/managed-by": "darkroom",
        INSTANCE: instance_of(settings),
        BUILD: str(build_id),
    }


def job_manifest(
    settings: Settings, plan: Plan, where: Where, build_id: int, *, only_clean: bool, login: bool
) -> dict[str, Any]:
    """The Job; `login` says that a Secret of its name will hold one."""
    name = f"darkroom-save-{build_id}-{uuid4().hex[:8]}"
    found_by = labels(settings, build_id)
    return {
        "apiVersion": "batch/v1",
        "kind": "Job",
        "metadata": {"name": name, "namespace": settings.save_namespace, "labels": found_by},
        "spec": {
            "activeDeadlineSeconds": int(settings.save_seconds),
            # A process that is killed starts again at once, and lets the container go on.
            "backoffLimit": 3,
            "template": {
                "metadata": {"labels": found_by},
                "spec": _pod(settings, plan, where, name if login else None, only_clean=only_clean),
            },
        },
    }


def report_to(job: dict[str, Any], address: str) -> None:
    """Let the Job report to `address`, besides what it prints."""
    container = job["spec"]["template"]["spec"]["containers"][0]
    container["env"].append({"name": REPORT, "value": address})


def secret_manifest(job: dict[str, Any], login: Credentials) -> dict[str, Any]:
    """The registry's account, which goes when the Job does."""
    metadata = job["metadata"]
    owner = {
        "apiVersion": "batch/v1",
        "kind": "Job",
        "name": metadata["name"],
        "uid": metadata["uid"],
    }
    return {
        "apiVersion": "v1",
        "kind": "Secret",
        "metadata": {
            "name": metadata["name"],
            "namespace": metadata["namespace"],
            "labels": metadata["labels"],
            "ownerReferences": [owner],
        },
        "stringData": {"username": login.username, "password": login.password},
    }


def _pod(
    settings: Settings, plan: Plan, where: Where, secret: str | None, *, only_clean: bool
) -> dict[str, Any]:
    volumes = [{"name": "socket", "hostPath": {"path": _socket(settings, where), "type": "Socket"}}]
    mounts: list[dict[str, Any]] = [{"name": "socket", "mountPath": SOCKET}]
    if secret:
        volumes.append({"name": "registry", "secret": {"secretName": secret, "defaultMode": 0o400}})
        mounts.append({"name": "registry", "mountPath": CREDENTIALS, "readOnly": True})
    return {
        "nodeName": where.node,
        "tolerations": [{"operator": "Exists"}],
        "restartPolicy": "OnFailure",
        "terminationGracePeriodSeconds": _GRACE_SECONDS,
        "hostNetwork": settings.save_host_network,
        "automountServiceAccountToken": False,
        "enableServiceLinks": False,
        "securityContext": {"seccompProfile": {"type": "RuntimeDefault"}},
        "containers": [
            {
                "name": CONTAINER,
                "image": settings.save_image,
                "args": ["commit", *(["--only-clean"] if only_clean else [])],
                "env": [{"name": PLAN, "value": plan.to_json()}],
                "volumeMounts": mounts,
                "securityContext": _NO_MORE_THAN_ROOT,
                "resources": {
                    "requests": {"cpu": "10m", "memory": "64Mi"},
                    "limits": {"cpu": "2", "memory": "512Mi"},
                },
            }
        ],
        "volumes": volumes,
    }


_NO_MORE_THAN_ROOT = {
    "runAsUser": 0,
    "runAsGroup": 0,
    "privileged": False,
    "allowPrivilegeEscalation": False,
    "readOnlyRootFilesystem": True,
    "capabilities": {"drop": ["ALL"]},
}


def _socket(settings: Settings, where: Where) -> str:
    docker = where.runtime is Runtime.DOCKER
    return str(settings.docker_socket if docker else settings.containerd_socket)
