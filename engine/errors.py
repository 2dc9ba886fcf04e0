"""What can go wrong, as a tree.

EngineError
├── Rejected                 A request was not accepted; nothing was changed.
│   ├── InvalidInput         The input is not usable; every field's reason is listed.
│   ├── NameTaken            Another record has this name already.
│   ├── NotFound             There is no such thing, or it is not the viewer's to see.
│   ├── Forbidden            The viewer may see it, but not change it.
│   └── Unavailable          A server that the request needs did not answer.
│       └── QueueFull        The user has as many builds waiting as one may have.
└── BuildFailed              A build cannot go on: a code, a message that says what to do, a step.

Messages are shown to users as they are: they name the reason and the remedy, and hold no secret.
"""

from collections.abc import Sequence
from dataclasses import dataclass

from models.enums import Blame, FailureCode


class EngineError(Exception):
    """Anything that the engine reports on purpose."""

    def __init__(self, message: str) -> None:
        super().__init__(message)
        self.message = message


class Rejected(EngineError):
    """A request was not accepted; nothing was changed."""


@dataclass(frozen=True, slots=True)
class FieldProblem:
    """One field of an input, by the API's name for it, and what is wrong with it."""

    field: str
    message: str


class InvalidInput(Rejected):
    """The input is not usable; every field's reason is listed."""

    def __init__(self, problems: Sequence[FieldProblem]) -> None:
        super().__init__("; ".join(f"{problem.field}: {problem.message}" for problem in problems))
        self.problems = tuple(problems)


class NameTaken(Rejected):
    """Another record has this name already."""

    def __init__(self, message: str, image_id: int) -> None:
        super().__init__(message)
        self.image_id = image_id


class NotFound(Rejected):
    """There is no such thing, or it is not the viewer's to see."""


class Forbidden(Rejected):
    """The viewer may see it, but not change it."""


class Unavailable(Rejected):
    """A server that the request needs did not answer; nothing was changed."""


class QueueFull(Unavailable):
    """The user has as many builds waiting as one may have; later there is room again."""


class BuildFailed(EngineError):
    """A build cannot go on. `step` is the index of the step that failed, where one did."""

    def __init__(self, code: FailureCode, message: str, step: int | None = None) -> None:
        super().__init__(message)
        self.code = code
        self.step = step

    @property
    def blame(self) -> Blame:
        """Whether another try with the same input may succeed."""
        return self.code.blame
