"""Finding the container that a build is to save, and whether its user still may."""

from dataclasses import dataclass

from engine.cluster import Cluster, Container, Pod, User
from engine.errors import BuildFailed
from models import Build, Image
from models.enums import FailureCode, Origin


@dataclass(frozen=True, slots=True)
class Located:
    """The container, as the cluster describes it now."""

    pod: Pod
    container: Container


async def locate(cluster: Cluster, image: Image, build: Build) -> Located:
    """The container of an image's source. Raises BuildFailed and ClusterError.

    It is the one that its user chose: a pod of the same name that came later is another.
    """
    source = image.source
    pod = await cluster.pod(source["namespace"], source["pod"])
    container = pod.container(source["container"]) if pod else None
    if pod is None or container is None or pod.uid != source["podUid"]:
        raise BuildFailed(
            FailureCode.CONTAINER_NOT_FOUND,
            f"The pod {source['namespace']}/{source['pod']} is gone. Save one that runs.",
        )
    if not container.running:
        raise BuildFailed(
            FailureCode.CONTAINER_NOT_RUNNING,
            f"The container {container.name} of the pod {pod.namespace}/{pod.name} does not run "
            "any more. Only a container that runs can be saved.",
        )
    if not await _may_save(cluster, image, build, pod):
        raise BuildFailed(
            FailureCode.CONTAINER_DENIED,
            f"{build.created_by} may not enter the pod {pod.namespace}/{pod.name}. Ask its owner.",
        )
    return Located(pod, container)


async def _may_save(cluster: Cluster, image: Image, build: Build, pod: Pod) -> bool:
    """Asked again: the build may have waited, and rights may have been taken away meanwhile."""
    if image.origin is Origin.TRAINING_TASK:
        task = await cluster.training_task(build.created_by, image.source["taskKey"])
        return task is not None and task.running and task.pod(pod.name) is not None
    # The groups are those of who made the image; somebody else's are not known here.
    groups = image.source["groups"] if build.created_by == image.owner else ()
    return await cluster.may_enter(User(build.created_by, tuple(groups)), pod.namespace, pod.name)
