"""One answer for all who ask the same at once."""

import asyncio
from collections.abc import Awaitable, Callable
from typing import Generic, TypeVar

Key = TypeVar("Key")
Answer = TypeVar("Answer")


class Together(Generic[Key, Answer]):
    """Asks once for everybody who asks in one turn of the event loop.

    A notification wakes a thousand readers in one turn, and all of them ask what is new. Nobody
    gets an answer that was begun before they asked, so nothing is ever older than asked for.
    """

    def __init__(self, ask: Callable[[Key], Awaitable[Answer]]) -> None:
        self._ask = ask
        self._asked: dict[Key, asyncio.Task[Answer]] = {}

    async def ask(self, key: Key) -> Answer:
        """The answer; whoever is cancelled meanwhile leaves it to the others."""
        if key not in self._asked:
            self._asked[key] = asyncio.create_task(self._answer(key))
        return await asyncio.shield(self._asked[key])

    async def _answer(self, key: Key) -> Answer:
        # A task begins in the loop's next turn: from here on, others ask anew.
        del self._asked[key]
        return await self._ask(key)
