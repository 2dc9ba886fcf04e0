"""What the engine works with, put together once per process from the settings."""

import contextlib
from collections.abc import AsyncIterator
from dataclasses import dataclass

from engine.blobs import Blobs
from engine.cluster import Cluster
from engine.docker.client import DockerEngine
from engine.git.policy import GitPolicy
from engine.image_index import ImageIndex
from engine.logs.reader import LogReader
from engine.notifiers import notifying
from engine.notify import Notifier
from engine.queue import Queue
from engine.registry import Credentials, Registry
from engine.sealing import Sealer
from settings import Settings


@dataclass(frozen=True, slots=True)
class Services:
    """The servers and stores around one process."""

    settings: Settings
    blobs: Blobs
    notifier: Notifier
    logs: LogReader
    docker: DockerEngine
    registry: Registry
    sealer: Sealer
    queue: Queue
    index: ImageIndex
    cluster: Cluster | None  # None where no cluster is configured

    @property
    def credentials(self) -> Credentials | None:
        """The account that the registry asks for, if any."""
        return credentials(self.settings)

    @property
    def git_policy(self) -> GitPolicy:
        """Where git may go, and how far."""
        return GitPolicy(
            allow_loopback=self.settings.git_allow_loopback,
            hosts=self.settings.git_hosts,
            allow_ssh=self.settings.git_ssh,
            submodules=self.settings.git_submodules,
            lfs=self.settings.git_lfs,
            max_bytes=self.settings.context_bytes,
            check_seconds=self.settings.git_check_seconds,
            connect_seconds=self.settings.git_answer_seconds,
        )


@contextlib.asynccontextmanager
async def opened(settings: Settings) -> AsyncIterator[Services]:
    """The services of this process, on this event loop, until the block ends."""
    blobs = Blobs.open(settings.blobs)
    queue = Queue(settings.broker_url)
    cluster = Cluster.from_settings(settings)
    async with contextlib.AsyncExitStack() as stack:
        stack.push_async_callback(queue.close)
        notifier = await stack.enter_async_context(notifying(settings.notifications))
        if cluster:
            stack.push_async_callback(cluster.close)
        docker = await stack.enter_async_context(DockerEngine(settings.engine_url))
        registry = await stack.enter_async_context(
            Registry(
                settings.registry,
                credentials(settings),
                insecure=settings.registry_insecure or None,
            )
        )
        yield Services(
            settings=settings,
            blobs=blobs,
            notifier=notifier,
            logs=LogReader(blobs, notifier),
            docker=docker,
            registry=registry,
            sealer=Sealer.from_settings(settings.secret_key.get_secret_value(), settings.data_dir),
            queue=queue,
            index=ImageIndex(),
            cluster=cluster,
        )


def credentials(settings: Settings) -> Credentials | None:
    """The registry's account, or None where it asks for none."""
    if not settings.registry_username:
        return None
    password = settings.registry_password.get_secret_value()
    return Credentials(settings.registry_username, password)
