"""Builds as they go well, and as they end early, on every builder."""

import asyncio
import os
import signal
from collections.abc import AsyncIterator
from contextlib import aclosing
from pathlib import Path
from uuid import uuid4

import pytest

from engine.docker.build import Builder, build
from engine.docker.client import DockerEngine
from engine.docker.events import StepOutput
from engine.errors import BuildFailed
from models.enums import FailureCode, StepStatus
from server.local.engine import local_engine
from tests.engine.building import (
    Files,
    Seen,
    failing,
    is_podman,
    run,
    sleepers,
    unique_seconds,
    until,
    until_no_containers,
)
from tests.fixtures.docker import BASE, BuildsWith, PushBusybox, context, have_base
from tests.fixtures.registry import RegistryServer

SETTLED = {StepStatus.DONE, StepStatus.CACHED}


@pytest.fixture(params=["buildkit", "classic"])
def interrupting(request: pytest.FixtureRequest, docker: DockerEngine) -> BuildsWith:
    """The builders that can interrupt a command."""
    return BuildsWith(docker, request.param)


async def test_steps_and_their_output_arrive(builds: BuildsWith) -> None:
    say = f"echo {uuid4().hex}"
    files: Files = {
        "Dockerfile": f"FROM {BASE} AS one\nRUN {say}; echo no >&2\n"
        f"FROM {BASE}\nCOPY --from=one /bin/busybox /copy\nCOPY a.txt /\nRUN cat a.txt",
        "a.txt": "half a line",
    }

    seen = await run(builds, files)

    ran = seen.step(f"RUN {say}; echo no >&2")
    assert {f"{say[5:]}\n".encode(), b"no\n"} <= set(seen.output[ran.index].splitlines(True))
    assert b"half a line" in seen.output[seen.step("RUN cat a.txt").index]
    assert all(step.status in SETTLED for step in seen.steps)
    assert list(seen.history) == list(range(1, len(seen.history) + 1))
    assert ran.started_at is not None
    assert ran.finished_at is not None
    assert ran.started_at <= ran.finished_at
    assert seen.image_id is not None
    assert await builds.engine.image(seen.image_id) is not None


async def test_a_name_is_kept_while_a_step_changes(builds: BuildsWith) -> None:
    seen = await run(builds, {"Dockerfile": f"FROM {BASE}\nRUN echo {uuid4().hex}"})

    for index, changes in seen.history.items():
        assert len({change.name for change in changes}) == 1
        assert {change.index for change in changes} == {index}
        assert len(changes) == len(set(changes))


async def test_the_second_time_comes_from_the_cache(builds: BuildsWith) -> None:
    files: Files = {"Dockerfile": f"FROM {BASE}\nRUN true {uuid4().hex}"}
    await run(builds, files)

    again = await run(builds, files)
    afresh = await run(builds, files, no_cache=True)

    assert again.steps[-1 if builds.builder == "classic" else -2].status is StepStatus.CACHED
    assert {step.status for step in afresh.steps if " RUN " in step.name} == {StepStatus.DONE}


async def test_arguments_labels_target_and_path_are_used(builds: BuildsWith) -> None:
    mark = uuid4().hex
    dockerfile = f"FROM {BASE} AS wanted\nARG WHO\nRUN echo hello $WHO\nFROM wanted\nRUN false"
    tag = f"darkroom.test/{mark}:1"

    seen = await run(
        builds,
        {"docker/Wanted.dockerfile": dockerfile},
        dockerfile="docker/Wanted.dockerfile",
        build_args={"WHO": mark},
        labels={"darkroom.test": mark},
        target="wanted",
        tag=tag,
    )

    image = await builds.engine.image(tag)
    await builds.engine.remove_image(tag)
    assert image is not None
    assert image.id == seen.image_id
    assert image.labels["darkroom.test"] == mark
    assert f"hello {mark}".encode() in b"".join(seen.output.values())


async def test_a_command_cannot_pretend_to_be_a_step(builds: BuildsWith) -> None:
    fakes = ("Step 9/9 : RUN fake", "STEP 1/9: RUN fake", " ---> Using cache", "--> Using cache")
    seen = await run(
        builds,
        {
            "Dockerfile": f"FROM {BASE}\nCOPY fakes /\nRUN cat /fakes {uuid4().hex} || true",
            "fakes": "\n".join(fakes),
        },
    )

    assert not [step for step in seen.steps if step.name.endswith("RUN fake")]
    ran = next(step for step in seen.steps if "RUN cat" in step.name)
    assert ran.status is StepStatus.DONE
    assert all(fake.encode() in seen.output[ran.index] for fake in fakes)


async def test_a_failing_command_is_named(builds: BuildsWith) -> None:
    dockerfile = f"FROM {BASE}\nRUN echo why {uuid4().hex}; exit 7\nRUN echo never"

    failure, seen = await failing(builds, dockerfile)

    assert failure.code is FailureCode.STEP_FAILED
    assert "exit code 7" in failure.message
    assert "`RUN echo why" in failure.message
    assert failure.step is not None
    (failed,) = [step for step in seen.steps if step.status is StepStatus.FAILED]
    assert failed.index == failure.step
    assert failed.error
    assert b"why" in seen.output[failure.step]
    assert {step.status for step in seen.steps if "never" in step.name} <= {StepStatus.CANCELED}


async def test_a_user_that_does_not_exist_is_the_steps_failure(builds: BuildsWith) -> None:
    failure, _ = await failing(builds, f"FROM {BASE}\nUSER nobody9\nRUN echo {uuid4().hex}")

    assert failure.code is FailureCode.STEP_FAILED
    assert "nobody9" in failure.message


@pytest.mark.parametrize(
    ("dockerfile", "told"),
    [
        (f"FROM {BASE}\nRUN true\nFOO bar", ("FOO", "line 3")),
        (f"FROM {BASE}\nRUN true\nCOPY --frm=x bar /", ("frm", "line 3")),
        (f"FROM {BASE}\nRUN true\nCOPY bar", ("COPY requires at least", "line 3")),
        ("", ("Dockerfile",)),
        ("RUN true", ("Dockerfile",)),
        ("FROM Foo_BAR::x\nRUN true", ("invalid reference format",)),
        ("ARG NONE\nFROM $NONE\nRUN true", ("Dockerfile",)),
    ],
)
async def test_a_dockerfile_that_cannot_be_read(
    builds: BuildsWith, dockerfile: str, told: tuple[str, ...]
) -> None:
    failure, _ = await failing(builds, dockerfile)

    assert failure.code is FailureCode.DOCKERFILE_INVALID
    # Buildah reads a Dockerfile line by line as it builds, and does not count them.
    expected = [part for part in told if not (is_podman(builds) and part.startswith("line"))]
    assert all(part in failure.message for part in expected)


async def test_a_target_that_does_not_exist(builds: BuildsWith) -> None:
    failure, _ = await failing(builds, f"FROM {BASE} AS one", target="other")

    assert failure.code is FailureCode.DOCKERFILE_INVALID
    assert "other" in failure.message


@pytest.mark.parametrize("path", ["Dockerfile.gpu", "docker/Dockerfile", "../Dockerfile.gpu"])
async def test_a_dockerfile_that_is_not_there(builds: BuildsWith, path: str) -> None:
    failure, _ = await failing(builds, f"FROM {BASE}", dockerfile=path)

    assert failure.code is FailureCode.DOCKERFILE_NOT_FOUND
    assert path in failure.message


@pytest.mark.parametrize("line", ["COPY wheels/none.whl /", "ADD none.txt /", "COPY ../none /"])
async def test_a_file_that_is_not_in_the_context(builds: BuildsWith, line: str) -> None:
    failure, seen = await failing(builds, f"FROM {BASE}\n{line}")

    assert failure.code is FailureCode.CONTEXT_INVALID
    assert f"`{line}`" in failure.message
    assert ".dockerignore" in failure.message
    assert failure.step == seen.step(line).index
    assert "/tmp" not in failure.message  # noqa: S108  # the engine's paths are nobody's business
    assert "/var" not in failure.message


async def test_a_file_that_is_not_in_a_stage(builds: BuildsWith) -> None:
    failure, _ = await failing(builds, f"FROM {BASE} AS one\nFROM {BASE}\nCOPY --from=one /no /")

    assert failure.code is FailureCode.STEP_FAILED
    assert "needs no, which is not in one" in failure.message


async def test_a_base_that_does_not_exist(builds: BuildsWith, registry: RegistryServer) -> None:
    base = f"{registry.host}/demo/none:1"

    failure, _ = await failing(builds, f"FROM {base}\nRUN true")

    assert failure.code is FailureCode.BASE_NOT_FOUND
    assert base in failure.message


async def test_a_base_that_needs_a_login(
    builds: BuildsWith, basic_registry: RegistryServer
) -> None:
    base = f"{basic_registry.host}/demo/none:1"

    failure, _ = await failing(builds, f"FROM {base}\nRUN true")

    assert failure.code is FailureCode.BASE_DENIED
    assert base in failure.message


async def test_a_registry_that_does_not_answer(builds: BuildsWith) -> None:
    failure, _ = await failing(builds, "FROM 127.0.0.1:9/demo/none:1\nRUN true")

    assert failure.code is FailureCode.REGISTRY_UNREACHABLE


@pytest.mark.parametrize("use", ["FROM {tagged}\n", "FROM {exact}\n", f"FROM {BASE}\nCOPY --from="])
async def test_a_pulled_private_base_needs_no_login_when_built(
    builds: BuildsWith,
    basic_registry: RegistryServer,
    busybox: PushBusybox,
    new_repository: str,
    use: str,
) -> None:
    pushed = await busybox(basic_registry.host, basic_registry.credentials, new_repository)
    tagged = f"{pushed.reference}@{pushed.digest}"
    exact = f"{basic_registry.host}/{new_repository}@{pushed.digest}"
    await builds.engine.remove_image(exact)
    await builds.engine.pull(exact, basic_registry.credentials)
    line = f"{use}{tagged} /bin/busybox /b\n" if use.endswith("=") else use
    dockerfile = line.format(tagged=tagged, exact=exact)

    seen = await run(builds, {"Dockerfile": f"{dockerfile}RUN echo {uuid4().hex}"})

    assert seen.image_id is not None


async def test_cancelling_stops_the_command_at_once(interrupting: BuildsWith) -> None:
    seconds = unique_seconds()
    files: Files = {"Dockerfile": f"FROM {BASE}\nRUN sleep {seconds}"}
    running = asyncio.create_task(run(interrupting, files))
    await until(lambda: sleepers(seconds), seconds=20)

    running.cancel()
    with pytest.raises(asyncio.CancelledError):
        await running

    await until(lambda: not sleepers(seconds), seconds=1)
    await until_no_containers(interrupting.engine)


async def test_leaving_early_stops_the_command(interrupting: BuildsWith) -> None:
    seconds = unique_seconds()
    events = build(
        interrupting.engine,
        context({"Dockerfile": f"FROM {BASE}\nRUN echo begun; sleep {seconds}"}),
        builder=interrupting.builder,
    )
    async with aclosing(events):
        async for event in events:
            if isinstance(event, StepOutput) and b"begun" in event.data:
                break
        await until(lambda: sleepers(seconds), seconds=5)

    await until(lambda: not sleepers(seconds), seconds=1)
    await until_no_containers(interrupting.engine)


async def test_podman_ends_a_cancelled_build_with_the_command_that_runs(
    podman: DockerEngine,
) -> None:
    first, second = f"2.{unique_seconds()}", unique_seconds()
    files: Files = {"Dockerfile": f"FROM {BASE}\nRUN sleep {first}\nRUN sleep {second}"}
    workplace = Path(podman.url.removeprefix("unix://")).parent
    running = asyncio.create_task(run(BuildsWith(podman, "classic"), files))
    await until(lambda: sleepers(first), seconds=20)
    assert list(workplace.glob("libpod_builder*"))

    running.cancel()
    with pytest.raises(asyncio.CancelledError):
        await running

    await until(lambda: not list(workplace.glob("libpod_builder*")), seconds=10)
    assert not sleepers(second)
    await until_no_containers(podman)


async def test_a_context_that_breaks_off_is_not_the_engines_fault(builds: BuildsWith) -> None:
    class Gone(Exception):
        pass

    async def broken() -> AsyncIterator[bytes]:
        yield b"\0" * 512
        raise Gone

    with pytest.raises(Gone):
        async for _ in build(builds.engine, broken(), builder=builds.builder):
            pass


async def test_a_secret_mount_is_refused_with_the_remedy(builds: BuildsWith) -> None:
    line = "RUN --mount=type=secret,id=key,required=true echo 1"

    failure, _ = await failing(builds, f"FROM {BASE}\n{line}")

    assert failure.code is FailureCode.DOCKERFILE_INVALID
    assert "--mount" in failure.message


async def test_a_frontend_that_cannot_be_had(
    docker: DockerEngine, registry: RegistryServer
) -> None:
    frontend = f"{registry.host}/docker/dockerfile:1"

    failure, _ = await failing(
        BuildsWith(docker, "buildkit"), f"# syntax={frontend}\nFROM {BASE}\nRUN true"
    )

    assert failure.code is FailureCode.BASE_NOT_FOUND
    assert frontend in failure.message
    assert "# syntax=" in failure.message


async def test_parallel_steps_end_with_the_one_that_fails(docker: DockerEngine) -> None:
    mark = uuid4().hex
    dockerfile = (
        f"FROM {BASE} AS slow\nRUN sleep 60 # {mark}\nFROM {BASE} AS bad\n"
        f"RUN sleep 0.5; exit 3 # {mark}\n"
        f"FROM {BASE}\nCOPY --from=slow /bin /1\nCOPY --from=bad /bin /2"
    )

    failure, seen = await failing(BuildsWith(docker, "buildkit"), dockerfile)

    assert "exit code 3" in failure.message
    assert failure.step == seen.step(f"RUN sleep 0.5; exit 3 # {mark}").index
    assert seen.step(f"RUN sleep 60 # {mark}").status is StepStatus.CANCELED


async def test_long_output_is_whole(docker: DockerEngine) -> None:
    seen = await run(
        BuildsWith(docker, "buildkit"),
        {"Dockerfile": f"FROM {BASE}\nRUN seq 400000 # {uuid4().hex}"},
    )

    lines = max(seen.output.values(), key=len).splitlines()
    assert len(lines) == 400_000
    assert lines[-1] == b"400000"


async def test_output_that_the_engine_cut_says_how_to_get_all(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("BUILDKIT_STEP_LOG_MAX_SIZE", "1000")
    with local_engine(tmp_path) as url:
        async with DockerEngine(url) as engine:
            await have_base(engine)
            seen = await run(
                BuildsWith(engine, "buildkit"), {"Dockerfile": f"FROM {BASE}\nRUN seq 4000"}
            )

    output = seen.output[seen.step("RUN seq 4000").index]
    assert output.count(b"BUILDKIT_STEP_LOG_MAX_SIZE=2147483647") == 1
    assert b"[output clipped" in output


@pytest.mark.parametrize("end", [signal.SIGKILL, signal.SIGTERM])
@pytest.mark.parametrize("builder", ["buildkit", "classic"])
async def test_an_engine_that_ends_is_unreachable(
    tmp_path: Path, builder: Builder, end: signal.Signals
) -> None:
    seen, seconds = Seen(), unique_seconds()
    with local_engine(tmp_path) as url:
        async with DockerEngine(url) as engine:
            await have_base(engine)
            # An engine that stops would wait ten seconds for a shell that does not hear it.
            step = f"trap 'exit 1' TERM; sleep {seconds} & wait"
            files: Files = {"Dockerfile": f"FROM {BASE}\nRUN {step}"}
            running = asyncio.create_task(run(BuildsWith(engine, builder), files, seen))
            await until(lambda: sleepers(seconds), seconds=20)

            os.kill(int((tmp_path / "run" / "docker.pid").read_text()), end)
            with pytest.raises(BuildFailed) as failure:
                await running

    assert failure.value.code is FailureCode.ENGINE_UNREACHABLE
    assert all(step.status not in {"PENDING", "RUNNING"} for step in seen.steps)
