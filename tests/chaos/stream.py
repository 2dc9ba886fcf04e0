"""A stream of builds of every kind, and readers of their logs that never give up."""

import asyncio
import random
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from uuid import uuid4

import aiohttp

from tests.chaos.arena import dockerfile, new_name
from tests.chaos.world import World
from tests.fixtures.registry import OWNER
from tests.fixtures.service import JSON, RESULT, Client

PAUSE = 0.3  # before a request that failed is made again
# What a client meets while servers die: connections that end, answers that are errors or not JSON.
AWAY = (aiohttp.ClientError, OSError, TimeoutError, AssertionError, TypeError, ValueError)


class Broken(Exception):
    """Something that must hold does not; the message says what."""


@dataclass
class Asked:
    """A build that somebody asked for, how it may end, and who reads its log meanwhile."""

    created: JSON
    ends: frozenset[str]
    reader: asyncio.Task[list[str]]

    @property
    def id(self) -> str:
        """The build's id in the API."""
        found: str = self.created["build"]["id"]
        return found


class Stream:
    """Builds that are asked for while things break."""

    def __init__(self, world: World, dice: random.Random) -> None:
        self._world, self._dice = world, dice
        self.asked: list[Asked] = []

    async def run(self, number: int, built: list[str]) -> None:
        """Ask for so many; `built` are ids of images that can be built again."""
        kinds = [self._from_dockerfile, self._from_git, self._that_fails, self._canceled]
        weights = [5, 3, 1, 1]
        for _ in range(number):
            if built and self._dice.random() < 0.15:
                await self._again(built.pop())
            else:
                (kind,) = self._dice.choices(kinds, weights)
                await kind()
            await asyncio.sleep(self._dice.uniform(0, 1))

    async def _from_dockerfile(self) -> None:
        text = dockerfile(self._world.base, self._seconds()) + _printing(OWNER.password)
        await self._create("SUCCEEDED", "Dockerfile", dockerfile=text)

    async def _from_git(self) -> None:
        text = dockerfile(self._world.base, self._seconds()) + _printing(self._world.git.token)
        name = f"{uuid4().hex}.git"
        tree = {"Dockerfile": text, "file": "content\n"}
        await asyncio.to_thread(self._world.git.create, name, {"main": tree})
        url = self._world.git.url(name, "private")
        login = {"tokenName": self._world.git.user, "token": self._world.git.token}
        await self._create("SUCCEEDED", "Git", url=url, ref="main", **login)

    async def _that_fails(self) -> None:
        text = dockerfile(self._world.base, self._seconds()) + "RUN exit 3\n"
        await self._create("FAILED", "Dockerfile", dockerfile=text)

    async def _canceled(self) -> None:
        text = dockerfile(self._world.base, self._seconds())
        asked = await self._create("CANCELED SUCCEEDED", "Dockerfile", dockerfile=text)
        await asyncio.sleep(self._dice.uniform(0, 4))
        cancel = "mutation($id: ID!) { cancelBuild(id: $id) { __typename } }"
        await self._insist(lambda client: client.ask(cancel, id=asked.id), "CancelBuildPayload")

    async def _again(self, image: str) -> None:
        query = f"mutation($id: ID!) {{ rebuildImage(id: $id) {{ {RESULT} }} }}"
        self._follow(await self._insist(lambda client: client.ask(query, id=image)), "SUCCEEDED")

    async def _create(self, ends: str, way: str, **given: str) -> Asked:
        name = new_name()
        created = await self._insist(
            lambda client: client.create(way, name=name, **given),
            "CreateImagePayload",
            "ConflictError",
        )
        if created["__typename"] == "ConflictError":  # the answer to a first request was lost
            image = await self._insist(lambda client: client.image(created["taken"]["id"]), "")
            created = {"image": image, "build": image["latestBuild"]}
        return self._follow(created, ends)

    def _follow(self, created: JSON, ends: str) -> Asked:
        reader = asyncio.create_task(read(self._world, self._dice, created["build"]["id"]))
        asked = Asked(created, frozenset(ends.split()), reader)
        self.asked.append(asked)
        return asked

    async def _insist(self, request: Callable[[Client], Awaitable[JSON]], *answers: str) -> JSON:
        """Ask any server until one gives one of these answers."""
        return await insist(self._world, self._dice, request, answers or ("CreateImagePayload",))

    def _seconds(self) -> float:
        return round(self._dice.uniform(0, 6), 1)


async def insist(
    world: World,
    dice: random.Random,
    request: Callable[[Client], Awaitable[JSON]],
    answers: tuple[str, ...],
) -> JSON:
    """Ask any server until one gives one of these answers; "" is any."""
    while True:
        try:
            answer = await request(world.client(dice))
        except AWAY:
            pass
        else:
            if "" in answers or answer["__typename"] in answers:
                return answer
            if answer["__typename"] != "UnavailableError":
                raise Broken(f"a request was refused: {answer}")
        await asyncio.sleep(PAUSE)


async def read(world: World, dice: random.Random, id_: str) -> list[str]:
    """Follow a log to its end, at one server after another, each time from where the last was."""
    lines: list[str] = []
    while True:
        try:
            async for event in world.client(dice).follow(id_, after=len(lines)):
                if "text" not in event:
                    return lines
                if event["firstLine"] != len(lines) + 1:
                    had = f"after line {len(lines)} came line {event['firstLine']}"
                    raise Broken(f"a reader of {id_} missed lines or saw them twice: {had}")
                lines += event["text"].split("\n")
        except AWAY:
            pass
        await asyncio.sleep(PAUSE)


def _printing(secret: str) -> str:
    """A step that prints a secret which the Dockerfile itself does not hold in one piece."""
    half = len(secret) // 2
    return f"RUN printf 'this is it: %s%s\\n' '{secret[:half]}' '{secret[half:]}'\n"
