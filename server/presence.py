"""What is under way for each user, over all of their connections."""

import contextlib
from collections import defaultdict
from collections.abc import Iterator, Sized
from typing import Protocol


class Busy(Protocol):
    """A connection, with the operations that are under way on it."""

    @property
    def operations(self) -> Sized:
        """One entry for each."""


class Presence:
    """Counts the operations under way; those of a connection are its own to tell."""

    def __init__(self) -> None:
        self._connections: defaultdict[str, set[Busy]] = defaultdict(set)

    def count(self, user: str) -> int:
        """Operations under way, and connections that have none: each costs something."""
        return sum(max(1, len(one.operations)) for one in self._connections.get(user, ()))

    def enter(self, user: str, connection: Busy) -> None:
        """A connection begins."""
        self._connections[user].add(connection)

    def leave(self, user: str, connection: Busy) -> None:
        """A connection ends."""
        self._connections[user].discard(connection)
        if not self._connections[user]:
            del self._connections[user]

    @contextlib.contextmanager
    def streaming(self, user: str) -> Iterator[None]:
        """One stream over HTTP, for as long as the block lasts."""
        stream = _Stream()
        self.enter(user, stream)
        try:
            yield
        finally:
            self.leave(user, stream)


class _Stream:
    operations = ("stream",)
