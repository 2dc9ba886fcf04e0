"""The one error about a Dockerfile's text."""

from engine.errors import BuildFailed
from models.enums import FailureCode


def invalid(line: int, reason: str) -> BuildFailed:
    """DOCKERFILE_INVALID, at a line counted from 1."""
    return BuildFailed(FailureCode.DOCKERFILE_INVALID, f"Dockerfile, line {line}: {reason}")
