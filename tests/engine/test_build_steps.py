"""Steps are put on record as they change, none of the changes too late."""

import asyncio
import time
from pathlib import Path

from engine.build_steps import StepRecorder
from engine.clock import now
from engine.docker.events import StepChanged
from engine.notify import InProcessNotifier
from models import Build, BuildStep, database
from models.enums import BuildStatus, ImageStatus, StepStatus
from tests import rows


async def new_build() -> Build:
    image = rows.image(status=ImageStatus.BUILDING)
    await image.save()
    return await Build.create(
        image_id=image.id,
        number=1,
        status=BuildStatus.BUILDING,
        created_by="ada",
        created_at=now(),
    )


async def test_a_change_that_could_not_be_written_is_written_with_the_next(tmp_path: Path) -> None:
    url = f"sqlite://{tmp_path}/steps.sqlite3"
    await database.migrate(url)
    async with database.opened(url, everywhere=True):
        build = await new_build()
        recorder = StepRecorder(build, InProcessNotifier())
        hold, tried = build.hold, asyncio.Event()

        async def fails() -> bool:
            tried.set()
            build.hold = hold  # type: ignore[method-assign]  # once is enough
            raise OSError("no space left on the database's disk")

        build.hold = fails  # type: ignore[method-assign]  # a database that fails once
        recorder.change(StepChanged(1, "RUN one", StepStatus.DONE))
        await asyncio.wait_for(tried.wait(), 5)
        recorder.change(StepChanged(2, "RUN two", StepStatus.RUNNING))
        await recorder.close()
        steps = await BuildStep.filter(build_id=build.id).order_by("index")
        assert [step.status for step in steps] == [StepStatus.DONE, StepStatus.RUNNING]


async def test_a_change_during_a_write_waits_for_no_other(tmp_path: Path) -> None:
    url = f"sqlite://{tmp_path}/steps.sqlite3"
    await database.migrate(url)
    async with database.opened(url, everywhere=True):
        build = await new_build()
        recorder = StepRecorder(build, InProcessNotifier())
        hold = build.hold

        async def held() -> bool:
            """Within the transaction that writes the step as it was."""
            recorder.change(StepChanged(1, "RUN sleep", StepStatus.RUNNING, now()))
            build.hold = hold  # type: ignore[method-assign]  # once is enough
            return await hold()

        build.hold = held  # type: ignore[method-assign]  # the moment that matters is inside
        recorder.change(StepChanged(1, "RUN sleep", StepStatus.PENDING))
        deadline = time.monotonic() + 5
        while not await BuildStep.filter(build_id=build.id, status=StepStatus.RUNNING).exists():
            assert time.monotonic() < deadline, "it is not on record that the step runs"
            await asyncio.sleep(0.02)
        await recorder.close()
