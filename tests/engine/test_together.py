"""Many who ask the same at once are one question, and nobody hears what is older than theirs."""

import asyncio

import pytest

from engine.together import Together


class Counting:
    """Answers each question with its number, once it may."""

    def __init__(self) -> None:
        self.asked: list[str] = []
        self.begun = asyncio.Event()
        self.may = asyncio.Event()

    async def __call__(self, key: str) -> int:
        self.asked.append(key)
        self.begun.set()
        number = len(self.asked)
        await self.may.wait()
        return number


async def test_those_who_ask_at_once_share_an_answer() -> None:
    source = Counting()
    source.may.set()
    together = Together(source)
    assert await asyncio.gather(*(together.ask("a") for _ in range(1000))) == [1] * 1000
    assert await asyncio.gather(*map(together.ask, "ab")) == [2, 3]
    assert source.asked == ["a", "a", "b"]


async def test_who_asks_later_gets_an_answer_of_their_own() -> None:
    source = Counting()
    together = Together(source)
    first = asyncio.create_task(together.ask("a"))
    await source.begun.wait()
    second = asyncio.create_task(together.ask("a"))
    source.may.set()
    assert (await first, await second) == (1, 2)


async def test_who_leaves_does_not_take_the_answer_from_others() -> None:
    source = Counting()
    together = Together(source)
    leaves, stays = (asyncio.create_task(together.ask("a")) for _ in range(2))
    await source.begun.wait()
    leaves.cancel()
    source.may.set()
    assert await stays == 1
    assert leaves.cancelled()


async def test_everybody_hears_of_an_error() -> None:
    async def fail(key: str) -> int:
        raise LookupError(key)

    together = Together(fail)
    found = await asyncio.gather(together.ask("a"), together.ask("a"), return_exceptions=True)
    assert [type(error) for error in found] == [LookupError, LookupError]
    with pytest.raises(LookupError):
        await together.ask("a")
