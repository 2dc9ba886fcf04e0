"""What is checked before the container is disturbed."""

import os

from engine.errors import BuildFailed
from engine.registry import Registry
from engine.saving.node.report import Report
from engine.saving.plan import Plan
from engine.sizes import format_bytes
from models.enums import FailureCode

_SPARE = 256 * 1024**2
"""Bytes that stay free on the node beyond what saving needs: it runs other things."""


async def check(plan: Plan, registry: Registry, written: int, copies: float, say: Report) -> None:
    """Whether the push is allowed, and `copies` of what was written have room on the node.

    Raises RegistryError and BuildFailed.
    """
    await registry.can_push(plan.repository)
    say.say(f"{registry.host} takes pushes to {plan.repository}.")
    if written > plan.layer_bytes:
        raise BuildFailed(
            FailureCode.CONTAINER_TOO_LARGE,
            f"The container has written {format_bytes(written)}; {format_bytes(plan.layer_bytes)} "
            "can be saved. Remove what the image does not need, such as caches and data sets, or "
            "write it to a volume.",
        )
    free, needed = free_bytes(), int(written * copies) + _SPARE
    say.say(f"It has written {format_bytes(written)}; the node has {format_bytes(free)} free.")
    if free < needed:
        raise BuildFailed(
            FailureCode.COMMIT_FAILED,
            f"The node has {format_bytes(free)} free, and saving needs {format_bytes(needed)}. "
            "Ask an administrator to make room on it.",
        )


def free_bytes() -> int:
    """Bytes that are free where the node keeps containers.

    This process's own root lies there: an overlay answers for the disk that it writes to.
    """
    disk = os.statvfs("/")
    return disk.f_bavail * disk.f_frsize
