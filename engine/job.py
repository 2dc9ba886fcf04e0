"""One build while a worker has it."""

from dataclasses import dataclass
from pathlib import Path

from engine.logs.writer import LogWriter
from engine.services import Services
from models import Build, Image


@dataclass(frozen=True, slots=True)
class Job:
    """A claimed build with all that its pipeline works with."""

    services: Services
    build: Build
    image: Image
    log: LogWriter
    folder: Path  # for this try alone; removed afterwards

    async def say(self, text: str) -> None:
        """Tell the reader of the log what happens."""
        await self.log.say(text)
