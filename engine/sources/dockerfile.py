"""A Dockerfile that was typed: it has no context but itself."""

import asyncio

from engine import dockerfile
from engine.errors import FieldProblem
from engine.images import Making
from engine.job import Job
from engine.sources import Fetched
from models.enums import Origin

NAME = "Dockerfile"


def make(text: str) -> Making:
    """What to put on record for a typed Dockerfile, and what is wrong with it."""
    problems = [FieldProblem("dockerfile", problem) for problem in problems_of(text)]
    return Making(Origin.DOCKERFILE, {"dockerfile": text}, problems=problems)


def problems_of(text: str) -> list[str]:
    """What is wrong with a Dockerfile that has no context."""
    problems = dockerfile.check(text)
    if problems:
        return problems
    return [
        f"Line {use.line}: {use.instruction} takes "
        f"{', '.join(f'`{source}`' for source in use.sources)} from a build context, and a "
        "Dockerfile alone has none. Upload an archive of the Dockerfile together with its files, "
        "with createImageFromUpload."
        for use in dockerfile.copies_from_context(text)
    ]


async def fetch(job: Job) -> Fetched:
    """Write the Dockerfile into an empty context."""
    directory = job.folder / "context"
    await asyncio.to_thread(directory.mkdir)
    text = job.image.source["dockerfile"]
    await asyncio.to_thread((directory / NAME).write_text, text, newline="")
    return Fetched(directory, NAME)
