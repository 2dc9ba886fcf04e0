"""`darkroom commit`: save one container of this node, as the plan says."""

import asyncio
import contextlib
import os
import signal
import traceback
from pathlib import Path

import aiohttp
from aiodocker import DockerError

from engine.containerd.client import Containerd
from engine.containerd.errors import ContainerdError, ContainerdNotFound, ContainerdUnreachable
from engine.errors import BuildFailed
from engine.registry import (
    Credentials,
    Registry,
    RegistryDenied,
    RegistryError,
)
from engine.saving.events import Clean, Failed
from engine.saving.node.containerd import ContainerdSaving
from engine.saving.node.docker import DockerSaving
from engine.saving.node.docker_engine import NodeEngine
from engine.saving.node.report import Report
from engine.saving.plan import CREDENTIALS, PLAN, SOCKET, Plan
from models.enums import FailureCode, Runtime

Saving = ContainerdSaving | DockerSaving


async def commit(*, only_clean: bool = False) -> int:
    """Save the container of the plan in this process's environment; the exit code.

    What went wrong is reported as an event: the exit code is 0 then too, or the Job would be tried
    again. `only_clean` lets the container go on and removes what a killed process left behind.
    """
    plan = Plan.from_json(os.environ[PLAN])
    task = asyncio.ensure_future(_run(plan, Report(), only_clean=only_clean))
    loop = asyncio.get_running_loop()

    def stop() -> None:
        if not task.cancelling():  # a second signal must not interrupt the cleaning up
            task.cancel()

    for number in (signal.SIGTERM, signal.SIGINT):
        loop.add_signal_handler(number, stop)
    with contextlib.suppress(asyncio.CancelledError):
        return await task
    return 0


async def _run(plan: Plan, report: Report, *, only_clean: bool) -> int:
    credentials = _credentials(Path(CREDENTIALS))
    insecure = plan.insecure or None
    async with contextlib.AsyncExitStack() as stack:
        registry = await stack.enter_async_context(Registry(plan.registry, credentials, insecure))
        saving: Saving
        if plan.runtime is Runtime.DOCKER:
            engine = await stack.enter_async_context(NodeEngine(f"unix://{SOCKET}"))
            saving = DockerSaving(plan, engine, registry, credentials, report)
        else:
            containerd = await stack.enter_async_context(Containerd(Path(SOCKET)))
            saving = ContainerdSaving(plan, containerd, registry, report)
        try:
            await _reported(saving, report, only_clean=only_clean)
        finally:
            # A signal asks for no more than this: it takes a moment.
            is_clean = await asyncio.shield(_cleaned(saving, report))
    return 0 if is_clean else 1


async def _reported(saving: Saving, report: Report, *, only_clean: bool) -> None:
    """Save, and report what became of it."""
    try:
        await saving.clean()
        if not only_clean:
            report.tell(await saving.save())
    except Exception as error:  # noqa: BLE001  # whatever it is, the worker must hear of it
        if not isinstance(error, _EXPECTED):
            traceback.print_exc()
        report.tell(_failed(error))


async def _cleaned(saving: Saving, report: Report) -> bool:
    """Leave nothing behind. False when that failed: the Job's next try does it then."""
    try:
        await saving.clean()
    except _EXPECTED as error:
        report.say(f"The node could not be cleaned up: {error}")
        return False
    report.tell(Clean())
    return True


_EXPECTED = (BuildFailed, RegistryError, ContainerdError, DockerError, aiohttp.ClientError)


def _failed(error: Exception) -> Failed:
    match error:
        case BuildFailed():
            return Failed(error.code, error.message)
        case RegistryDenied():
            return Failed(FailureCode.PUSH_DENIED, error.message)
        case RegistryError():
            return Failed(FailureCode.REGISTRY_UNREACHABLE, error.message)
        case ContainerdNotFound():
            message = "The container is gone from its node. Save one that runs."
            return Failed(FailureCode.CONTAINER_NOT_FOUND, message)
        case ContainerdUnreachable():
            return Failed(FailureCode.ENGINE_UNREACHABLE, error.message)
        case ContainerdError():
            return Failed(FailureCode.COMMIT_FAILED, error.message)
        case DockerError():
            return Failed(FailureCode.COMMIT_FAILED, f"The Docker Engine refused: {error.message}.")
    message = "The saving itself failed. Ask an administrator to look at the Job's log."
    return Failed(FailureCode.COMMIT_FAILED, message)


def _credentials(folder: Path) -> Credentials | None:
    try:
        username = (folder / "username").read_text()
        password = (folder / "password").read_text()
    except FileNotFoundError:
        return None
    return Credentials(username, password)
