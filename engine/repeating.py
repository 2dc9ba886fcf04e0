"""Telling, in the log of a build that repeats another, which one and what differs."""

from engine.differences import differences
from engine.job import Job
from models import Build


async def say_what_is_repeated(job: Job) -> None:
    """Name the build that this one repeats, if any."""
    if original := await _original(job):
        how = (
            "exactly, with the inputs on its record" if job.build.pinned else "with today's inputs"
        )
        await job.say(f"This repeats build {original.number}, {how}.")


async def say_what_differs(job: Job) -> None:
    """Compare the inputs, once they are resolved."""
    original = await _original(job)
    if original is None:
        return
    found = differences(original, job.build)
    for one in found:
        await job.say(f"Unlike build {original.number}: {one}.")
    if not found:
        await job.say(f"Every input is that of build {original.number}.")


async def _original(job: Job) -> Build | None:
    id_ = job.build.rebuild_of_id
    return await Build.get_or_none(id=id_) if id_ else None
