"""The words that records, errors and the API share."""

from enum import StrEnum


class Visibility(StrEnum):
    """Who may see an image: its owner alone, or everybody."""

    PRIVATE = "PRIVATE"
    PUBLIC = "PUBLIC"


class Origin(StrEnum):
    """The six ways to make an image."""

    GIT = "GIT"
    DOCKERFILE = "DOCKERFILE"
    UPLOAD = "UPLOAD"
    EXISTING = "EXISTING"
    TRAINING_TASK = "TRAINING_TASK"
    CONTAINER = "CONTAINER"


class ImageStatus(StrEnum):
    """Follows the newest build of an image."""

    QUEUED = "QUEUED"
    BUILDING = "BUILDING"
    READY = "READY"
    FAILED = "FAILED"
    CANCELED = "CANCELED"


class RegistryState(StrEnum):
    """What became of an image in the registry since its digest went on record."""

    UNCHECKED = "UNCHECKED"
    PRESENT = "PRESENT"
    MOVED = "MOVED"
    GONE = "GONE"


class BuildStatus(StrEnum):
    """Where a build is on its way; the last three states are final."""

    QUEUED = "QUEUED"
    PREPARING = "PREPARING"
    BUILDING = "BUILDING"
    PUSHING = "PUSHING"
    CANCELING = "CANCELING"
    SUCCEEDED = "SUCCEEDED"
    FAILED = "FAILED"
    CANCELED = "CANCELED"

    @property
    def final(self) -> bool:
        """Nothing changes a build that is over."""
        return self in FINAL


FINAL = frozenset({BuildStatus.SUCCEEDED, BuildStatus.FAILED, BuildStatus.CANCELED})


class BuildInput(StrEnum):
    """What goes into a build, and may differ when it is made again."""

    COMMIT = "COMMIT"
    CONTEXT = "CONTEXT"
    DOCKERFILE = "DOCKERFILE"
    DOCKERFILE_PATH = "DOCKERFILE_PATH"
    BASE = "BASE"
    ENGINE = "ENGINE"
    DARKROOM = "DARKROOM"


class StepStatus(StrEnum):
    """Where one step of a build is."""

    PENDING = "PENDING"
    RUNNING = "RUNNING"
    DONE = "DONE"
    CACHED = "CACHED"
    FAILED = "FAILED"
    CANCELED = "CANCELED"


class Runtime(StrEnum):
    """What runs a container: the prefix of its id tells, for each pod by itself."""

    DOCKER = "docker"
    CONTAINERD = "containerd"


class FileChange(StrEnum):
    """What happened to a file of a container since its image."""

    ADDED = "ADDED"
    CHANGED = "CHANGED"
    DELETED = "DELETED"


class Blame(StrEnum):
    """USER: the same input fails again. SYSTEM: another try may succeed."""

    USER = "USER"
    SYSTEM = "SYSTEM"


class FailureCode(StrEnum):
    """Why a build failed; `blame` follows from the code."""

    GIT_AUTH = "GIT_AUTH"
    GIT_NOT_FOUND = "GIT_NOT_FOUND"
    GIT_REF_NOT_FOUND = "GIT_REF_NOT_FOUND"
    GIT_UNREACHABLE = "GIT_UNREACHABLE"
    DOCKERFILE_NOT_FOUND = "DOCKERFILE_NOT_FOUND"
    DOCKERFILE_INVALID = "DOCKERFILE_INVALID"
    CONTEXT_INVALID = "CONTEXT_INVALID"
    CONTEXT_TOO_LARGE = "CONTEXT_TOO_LARGE"
    BASE_NOT_FOUND = "BASE_NOT_FOUND"
    BASE_DENIED = "BASE_DENIED"
    STEP_FAILED = "STEP_FAILED"
    TIMEOUT = "TIMEOUT"
    LOG_TOO_LARGE = "LOG_TOO_LARGE"
    CONTAINER_NOT_FOUND = "CONTAINER_NOT_FOUND"
    CONTAINER_NOT_RUNNING = "CONTAINER_NOT_RUNNING"
    CONTAINER_DENIED = "CONTAINER_DENIED"
    CONTAINER_TOO_LARGE = "CONTAINER_TOO_LARGE"
    COMMIT_FAILED = "COMMIT_FAILED"
    PUSH_DENIED = "PUSH_DENIED"
    REGISTRY_UNREACHABLE = "REGISTRY_UNREACHABLE"
    ENGINE_UNREACHABLE = "ENGINE_UNREACHABLE"
    WORKER_LOST = "WORKER_LOST"
    QUEUED_TOO_LONG = "QUEUED_TOO_LONG"
    INTERNAL = "INTERNAL"

    @property
    def blame(self) -> Blame:
        """Whether another try with the same input may succeed."""
        return Blame.SYSTEM if self in _SYSTEM else Blame.USER


_SYSTEM = frozenset(
    {
        FailureCode.GIT_UNREACHABLE,
        FailureCode.COMMIT_FAILED,
        FailureCode.REGISTRY_UNREACHABLE,
        FailureCode.ENGINE_UNREACHABLE,
        FailureCode.WORKER_LOST,
        FailureCode.QUEUED_TOO_LONG,
        FailureCode.INTERNAL,
    }
)
