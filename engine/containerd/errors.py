"""What containerd can answer instead of what was asked.

ContainerdError
├── ContainerdUnreachable    Nothing answers at its socket.
├── ContainerdNotFound       It has no such container, image, snapshot or content.
└── ContainerdExists         It has this already.
"""

from engine.errors import EngineError


class ContainerdError(EngineError):
    """containerd did not do what was asked."""


class ContainerdUnreachable(ContainerdError):
    """Nothing answers at its socket."""


class ContainerdNotFound(ContainerdError):
    """It has no such container, image, snapshot or content."""


class ContainerdExists(ContainerdError):
    """It has this already."""
