"""Pods and their containers, as the cluster describes them."""

from dataclasses import dataclass

from engine.cluster.api import Object
from models.enums import Runtime

DEFAULT_CONTAINER = "kubectl.kubernetes.io/default-container"


@dataclass(frozen=True, slots=True)
class Container:
    """A container of a pod."""

    name: str
    image: str
    """As the pod's specification names it."""
    running: bool
    id: str
    """`containerd://0f3a…`, empty before it was started."""
    image_id: str
    """What the runtime calls the image: `registry/repository@sha256:…`, usually."""

    @property
    def runtime(self) -> Runtime | None:
        """Which of the runtimes that can be saved from; None for another."""
        prefix = self.id.partition("://")[0]
        return Runtime(prefix) if prefix in set(Runtime) else None

    @property
    def bare_id(self) -> str:
        """The id as the runtime itself has it."""
        return self.id.partition("://")[2]


@dataclass(frozen=True, slots=True)
class Pod:
    """A pod; `document` is the whole of it."""

    namespace: str
    name: str
    uid: str
    node: str | None
    containers: tuple[Container, ...]
    document: Object

    def container(self, name: str) -> Container | None:
        """The container of this name."""
        return next((found for found in self.containers if found.name == name), None)

    def main_container(self, names: tuple[str, ...] = ()) -> Container | None:
        """The one that people mean: annotated so, else one of `names`, else the first."""
        annotations = self.document["metadata"].get("annotations") or {}
        for name in (annotations.get(DEFAULT_CONTAINER, ""), *names):
            if found := self.container(name):
                return found
        return self.containers[0] if self.containers else None


def pod_of(document: Object) -> Pod:
    """Read a pod."""
    metadata, spec, status = document["metadata"], document["spec"], document.get("status") or {}
    states = {state["name"]: state for state in status.get("containerStatuses") or []}
    return Pod(
        namespace=metadata["namespace"],
        name=metadata["name"],
        uid=metadata["uid"],
        node=spec.get("nodeName"),
        containers=tuple(
            _container(container, states.get(container["name"], {}))
            for container in spec["containers"]
        ),
        document=document,
    )


def _container(spec: Object, state: Object) -> Container:
    return Container(
        name=spec["name"],
        image=spec.get("image", ""),
        running="running" in (state.get("state") or {}),
        id=state.get("containerID") or "",
        image_id=state.get("imageID") or "",
    )
