"""What a request is about to do: the scope that a token must have, and the words for people."""

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Access:
    """`scope` is Distribution's (`repository:project/name:pull`), empty for none.

    `verb` and `what` complete the sentence "… may not {verb} {what}".
    """

    scope: str
    verb: str
    what: str


def pull(repository: str, version: str = "") -> Access:
    """Read a manifest or blob."""
    return Access(f"repository:{repository}:pull", "pull", _named(repository, version))


def push(repository: str, version: str = "") -> Access:
    """Write a manifest or blob."""
    return Access(f"repository:{repository}:pull,push", "push to", _named(repository, version))


def mount(repository: str, digest: str, source: str) -> Access:
    """Write a blob by pointing at the one that `source` holds."""
    scope = f"repository:{repository}:pull,push repository:{source}:pull"
    return Access(scope, f"mount from {source} into", _named(repository, digest))


def delete(repository: str, version: str = "") -> Access:
    """Remove a manifest, or an upload that was begun."""
    return Access(f"repository:{repository}:delete", "delete from", _named(repository, version))


CATALOGUE = Access("registry:catalog:*", "list", "the repositories")
LOGIN = Access("", "use", "this registry")


def _named(repository: str, version: str) -> str:
    separator = "@" if ":" in version else ":"
    return f"{repository}{separator}{version}" if version else repository
