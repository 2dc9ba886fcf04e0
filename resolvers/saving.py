"""Training tasks and containers: the cluster's, as the API shows and takes them."""

from engine.cluster import Pod as ClusterPod
from engine.cluster import Task, User
from engine.errors import NotFound
from engine.images import Making
from engine.saving import requesting
from resolvers.context import services_of, viewer_of
from schema import ids
from schema.cluster import Container, Pod, TrainingTask
from schema.context import Info
from schema.create_inputs import CreateImageFromContainerInput, CreateImageFromTrainingTaskInput

TASK = "TrainingTask"


async def training_tasks(info: Info, search: str) -> list[TrainingTask]:
    """The viewer's own, administrator or not."""
    owner = viewer_of(info).name
    tasks = await requesting.training_tasks(services_of(info), owner, search)
    return [_task(task) for task in tasks]


async def of_training_task(info: Info, given: CreateImageFromTrainingTaskInput) -> Making:
    """What a task's container is saved from. Raises NotFound for others' tasks."""
    key = ids.decode_text(TASK, given.task)
    if key is None:
        raise NotFound(requesting.NO_TASK)
    return await requesting.from_training_task(
        services_of(info),
        _user(info),
        key,
        given.pod,
        given.container or None,
        pause=given.pause,
    )


async def of_container(info: Info, given: CreateImageFromContainerInput) -> Making:
    """What any container is saved from. Raises NotFound and Forbidden."""
    return await requesting.from_container(
        services_of(info),
        _user(info),
        given.namespace,
        given.pod,
        given.container,
        pause=given.pause,
    )


def _user(info: Info) -> User:
    viewer = viewer_of(info)
    return User(viewer.name, tuple(sorted(viewer.groups)))


def _task(task: Task) -> TrainingTask:
    return TrainingTask(
        id=ids.encode(TASK, task.key),
        name=task.name,
        kind=task.kind.name,
        namespace=task.namespace,
        created_at=task.created_at,
        pods=[_pod(pod) for pod in task.pods],
    )


def _pod(pod: ClusterPod) -> Pod:
    return Pod(
        name=pod.name,
        node=pod.node,
        containers=[
            Container(name=container.name, image=container.image, running=container.running)
            for container in pod.containers
        ],
    )
