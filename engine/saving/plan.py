"""What a saving Job is told to do."""

import json
from dataclasses import asdict, dataclass, field
from typing import Self

from models.enums import Runtime

PLAN = "DARKROOM_PLAN"
"""The variable that holds a plan, in the Job."""
REPORT = "DARKROOM_REPORT"
"""The variable that says where to report to, where the worker listens: `host:port token`."""
SOCKET = "/run/darkroom/runtime.sock"
"""Where the Job finds the runtime's socket."""
CREDENTIALS = "/run/darkroom/registry"
"""The folder where the Job finds `username` and `password`, if the registry wants any."""
LABEL = "darkroom.save"
"""What is on a node for a saving carries this label, with the saving's key."""


@dataclass(frozen=True, slots=True)
class Plan:
    """One container to save. Nothing in it is secret."""

    key: str
    """Names the saving on nodes and in the cluster, the same for every try of a build."""
    runtime: Runtime
    container_id: str
    """Without the runtime's prefix."""
    image: str
    """What the container was started from, as its pod names it."""
    image_id: str
    """The same, as the runtime names it."""
    pause: bool
    registry: str
    """`host[:port]`."""
    insecure: bool
    repository: str
    tag: str
    layer_bytes: int
    """Most bytes that the container may have written."""
    push_tries: int
    retry_seconds: float
    author: str
    labels: dict[str, str] = field(default_factory=dict)
    """For the image: where it came from."""

    @property
    def reference(self) -> str:
        """The image to make."""
        return f"{self.registry}/{self.repository}:{self.tag}"

    def to_json(self) -> str:
        """As the Job's variable holds it."""
        return json.dumps(asdict(self), separators=(",", ":"))

    @classmethod
    def from_json(cls, text: str) -> Self:
        """Raises ValueError, KeyError or TypeError when it is not one of this version."""
        given = json.loads(text)
        return cls(**{**given, "runtime": Runtime(given["runtime"])})
