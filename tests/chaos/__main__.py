"""`python -m tests.chaos --seconds 600 --seed 7`: break everything at random, check after each.

Two servers, three workers and what they rely on run against a stream of builds; each round breaks
one thing or two at once, waits for the builds, and checks what must hold. Every kind of failure has
had its turn before one comes again, and so has each broker. The seed decides what is broken when;
the builds go on in their own time, so that a run is told again by its seed, and not to the
millisecond.
"""

import argparse
import asyncio
import contextlib
import random
import tempfile
import time
import traceback
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import aiohttp

from schema import ids
from tests.chaos import brokers
from tests.chaos.failures import FAILURES, Failure
from tests.chaos.invariants import INVARIANTS
from tests.chaos.stream import Asked, Broken, Stream
from tests.chaos.world import ANSWER_SECONDS, World, prepare, world

BUILDS = (6, 14)  # of one round, at least and at most
MOST_SECONDS = 600  # of one round with all its checks


@dataclass(frozen=True)
class Round:
    """The broker that is used, what is broken together, and after how many seconds."""

    number: int
    broker: str
    failures: list[tuple[float, Failure]]
    dice: random.Random


def rounds(seed: int) -> Iterator[Round]:
    """The plan of a seed, without an end."""
    deck: list[tuple[str, Failure]] = []
    names: list[str] = []
    number = 0
    while True:
        number += 1
        dice = random.Random(f"{seed}/{number}")  # noqa: S311  # to be repeated
        if not names:
            names = dice.sample(brokers.NAMES, len(brokers.NAMES))
        drawn: list[tuple[str, Failure]] = []
        for _ in range(dice.randint(1, 2)):
            if not deck:
                deck = [(kind, failure) for kind, some in FAILURES.items() for failure in some]
                dice.shuffle(deck)
            if all(deck[-1][0] != kind for kind, _ in drawn):
                drawn.append(deck.pop())
        failures = [(dice.uniform(0, 5), failure) for _, failure in drawn]
        yield Round(number, names.pop(), failures, dice)


class Run:
    """One run, told as it goes."""

    def __init__(self, world: World, seed: int) -> None:
        self._world, self._seed = world, seed
        self._began = time.monotonic()
        self._built: list[str] = []  # images that can be built again
        self.builds: Counter[str] = Counter()
        self.failures: Counter[str] = Counter()

    async def play(self, seconds: float, first: int) -> None:
        """Round after round until the time is over. Raises Broken."""
        timeout = aiohttp.ClientTimeout(total=ANSWER_SECONDS)
        async with aiohttp.ClientSession(timeout=timeout) as self._world.session:
            await prepare(self._world)
            self._began = time.monotonic()
            for plan in rounds(self._seed):
                if time.monotonic() - self._began > seconds:
                    return
                if plan.number >= first:
                    await self._round(plan)

    async def _round(self, plan: Round) -> None:
        stream = Stream(self._world, plan.dice)
        number = plan.dice.randint(*BUILDS)
        await self._world.use(plan.broker)
        self._say(f"round {plan.number}: by {plan.broker}")
        try:
            async with asyncio.timeout(MOST_SECONDS):
                with self._world.leaks.watching(self._world.broker.search):
                    await asyncio.gather(
                        stream.run(number, self._built),
                        *(self._fail(plan, pause, failure) for pause, failure in plan.failures),
                    )
                await self._check(plan, stream.asked)
        except Exception as error:
            again = f'make chaos ARGS="--seed {self._seed} --first {plan.number}"'
            reason = error if isinstance(error, Broken) else repr(error)
            raise Broken(f"round {plan.number}: {reason}\n\nTo do it again: {again}") from error
        finally:
            for one in stream.asked:
                one.reader.cancel()

    async def _fail(self, plan: Round, pause: float, failure: Failure) -> None:
        await asyncio.sleep(pause)
        self._say(f"round {plan.number}: {failure.__doc__}")
        self.failures[str(failure.__doc__)] += 1
        name = f"{self._seed}/{plan.number}/{failure.__name__}"
        await failure(self._world, random.Random(name))  # noqa: S311  # to be repeated

    async def _check(self, plan: Round, asked: list[Asked]) -> None:
        began = time.monotonic()
        for invariant in INVARIANTS:
            try:
                await invariant(self._world, asked)
            except Broken as broken:
                raise Broken(f"it does not hold that {invariant.__doc__}: {broken}") from broken
        async with self._world.rows() as rows:
            found = await rows.fetch("SELECT status, count(*) FROM build GROUP BY status")
            numbers = [ids.decode("Build", one.id) for one in asked]
            tries = "SELECT sum(fence) FROM build WHERE id = ANY($1::bigint[])"
            claims = await rows.fetchval(tries, numbers)
        self.builds = Counter({row["status"]: row["count"] for row in found})
        good = [one for one in asked if one.ends == {"SUCCEEDED"}]
        self._built += [one.created["image"]["id"] for one in good]
        self._say(
            f"round {plan.number}: {len(asked)} builds, claimed {claims} times, "
            f"all well after {time.monotonic() - began:.0f} s"
        )

    def _say(self, text: str) -> None:
        print(f"{time.monotonic() - self._began:7.1f} s  {text}", flush=True)


def main() -> int:
    parser = argparse.ArgumentParser(prog="python -m tests.chaos", description=__doc__)
    parser.add_argument("--seconds", type=float, default=300, help="how long new rounds begin")
    parser.add_argument("--seed", type=int, default=random.SystemRandom().randrange(10**6))
    parser.add_argument("--first", type=int, default=1, help="the round to begin with")
    parser.add_argument("--keep", type=Path, help="an empty folder where logs are to stay")
    given = parser.parse_args()
    print(f"seed {given.seed}: starting servers", flush=True)
    with contextlib.ExitStack() as stack:
        temporary = tempfile.TemporaryDirectory(prefix="dr-chaos-", ignore_cleanup_errors=True)
        folder = given.keep or Path(stack.enter_context(temporary))
        run = Run(stack.enter_context(world(folder)), given.seed)
        try:
            asyncio.run(run.play(given.seconds, given.first))
        except Broken as broken:
            traceback.print_exception(broken.__cause__)
            print(f"\nBROKEN in {broken}", flush=True)
            return 1
        finally:
            _tell(run)
    return 0


def _tell(run: Run) -> None:
    print("\nWhat was done:")
    for name, count in run.failures.most_common():
        print(f"{count:5}  {name}")
    for status, count in run.builds.items():
        print(f"{count:5}  builds {status}")


if __name__ == "__main__":
    raise SystemExit(main())
