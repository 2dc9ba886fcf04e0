"""An engine whose disk is full, in whatever words that is told."""

import re

from engine.errors import BuildFailed
from models.enums import FailureCode

# As the C library says it, and so nearly every program.
_FULL = re.compile("no space left on device", re.I)


def full_disk(text: str, step: int | None = None) -> BuildFailed | None:
    """The failure, if that is what a text is about: another try may find room."""
    if not _FULL.search(text):
        return None
    message = "The engine's disk is full. Ask an administrator to make room on it."
    return BuildFailed(FailureCode.INTERNAL, message, step)
