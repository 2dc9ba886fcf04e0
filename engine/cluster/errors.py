"""What a cluster can answer instead of what was asked.

ClusterError
├── ClusterUnreachable       Its API server did not answer, or failed; another try may succeed.
├── ClusterRefused           Darkroom's own account may not do this.
├── ClusterNotFound          There is no such object, namespace or kind.
├── ClusterConflict          There is such an object already.
└── ClusterExpired           A list went on for longer than the cluster remembers it (410).

Messages name what was asked, and hold no token.
"""

from engine.errors import EngineError


class ClusterError(EngineError):
    """A cluster did not do what was asked."""


class ClusterUnreachable(ClusterError):
    """Its API server did not answer, or failed; another try may succeed."""


class ClusterRefused(ClusterError):
    """Darkroom's own account may not do this."""


class ClusterNotFound(ClusterError):
    """There is no such object, namespace or kind."""


class ClusterConflict(ClusterError):
    """There is such an object already."""


class ClusterExpired(ClusterError):
    """A list went on for longer than the cluster remembers it (410)."""
