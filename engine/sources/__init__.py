"""Where a build's context comes from: one file for each way, all behind `Fetch`."""

from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from engine.job import Job

__all__ = ["Fetch", "Fetched"]


@dataclass(frozen=True, slots=True)
class Fetched:
    """A context on this machine's disk, before it is frozen."""

    directory: Path
    dockerfile_path: str
    commit: dict[str, Any] | None = None


# Brings a build's context onto the disk, and says in its log what it does. Raises BuildFailed.
Fetch = Callable[[Job], Awaitable[Fetched]]
