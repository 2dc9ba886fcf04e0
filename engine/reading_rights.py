"""Which of the registry's repositories a user may list, register images from, and build on.

Darkroom asks the registry with its own account, which may read more than each of its users should.
"""

from engine.errors import Forbidden
from engine.push_policy import Author, PushPolicy, Verdict
from settings import Settings


def may_read(settings: Settings, repository: str, author: Author) -> bool:
    """Whether the policy lets the author see what the registry says of a repository."""
    return PushPolicy(settings.read_policy).judge(repository, author) is not Verdict.DENIED


def check(settings: Settings, repository: str, author: Author) -> None:
    """Raise Forbidden for what the author may not read, whether there is such a thing or not."""
    if not may_read(settings, repository, author):
        yours = PushPolicy(settings.read_policy).described(author)
        raise Forbidden(f"You may not read /{repository}. Yours to read: {yours}.")
