"""Whom the cluster lets in: its own answer for a user, not ours."""

from collections.abc import Sequence
from dataclasses import dataclass

from engine.cluster.api import Api


@dataclass(frozen=True, slots=True)
class User:
    """A user as the cluster knows them."""

    name: str
    groups: tuple[str, ...] = ()


async def may_enter(api: Api, user: User, namespace: str, pod: str) -> bool:
    """Whether `kubectl exec` would let the user into the pod (SubjectAccessReview)."""
    return await _may(api, user, "create", namespace, pod, subresource="exec")


async def may_see(api: Api, user: User, namespace: str, pod: str) -> bool:
    """Whether `kubectl get pod` would show the user the pod."""
    return await _may(api, user, "get", namespace, pod)


async def _may(
    api: Api, user: User, verb: str, namespace: str, pod: str, subresource: str = ""
) -> bool:
    attributes = {"namespace": namespace, "verb": verb, "resource": "pods", "name": pod}
    if subresource:
        attributes["subresource"] = subresource
    review = await api.create(
        "/apis/authorization.k8s.io/v1/subjectaccessreviews",
        {
            "apiVersion": "authorization.k8s.io/v1",
            "kind": "SubjectAccessReview",
            "spec": {
                "user": user.name,
                "groups": _groups(user.groups),
                "resourceAttributes": attributes,
            },
        },
    )
    return bool(review["status"].get("allowed"))


def _groups(groups: Sequence[str]) -> list[str]:
    # Whoever has authenticated is in this one, and roles are bound to it.
    return [*groups, "system:authenticated"]
