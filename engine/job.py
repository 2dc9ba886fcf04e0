"""One build while a worker has it."""

from dataclasses import asdict, dataclass
from pathlib import Path

from engine.logs.writer import ClaimLost, LogWriter
from engine.services import Services
from models import Build, Image


@dataclass(slots=True)
class Pushing:
    """How far a try has come with the registry: what would have to be undone."""

    image_id: str
    replaced: str | None  # the digest that the tag had before
    digest: str | None = None  # the one that was pushed, once the engine has named it


@dataclass(slots=True)
class Job:
    """A claimed build with all that its pipeline works with."""

    services: Services
    build: Build
    image: Image
    log: LogWriter
    folder: Path  # for this try alone; removed before its end is recorded
    pushing: Pushing | None = None

    async def say(self, text: str) -> None:
        """Tell the reader of the log what happens."""
        await self.log.say(text)

    async def begin_to_push(self, image_id: str, replaced: str | None) -> Pushing:
        """Put on record what would have to be undone: another may have to. Raises ClaimLost."""
        self.pushing = Pushing(image_id, replaced)
        if not await self.build.note(pushing=asdict(self.pushing)):
            raise ClaimLost
        return self.pushing
