"""An engine of our own: beside another, after a kill, in a deep folder, and with a way out."""

import os
import re
import signal
import socket
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from engine.docker.client import DockerEngine
from server.local.engine import local_engine, network_name
from server.local.process import DidNotStart
from tests.engine.building import run, sleepers, unique_seconds, until
from tests.fixtures.docker import BASE, BuildsWith, have_base

_ROOT = Path(__file__).parents[2]


def _public_name() -> str:
    """A host beyond this machine that is used anyway: where its packages come from."""
    for file in [Path("/etc/apt/sources.list"), *Path("/etc/apt/sources.list.d").glob("debian.*")]:
        text = file.read_text() if file.is_file() else ""
        if found := re.search(r"(?m)^(?:URIs:|deb) +https?://([\w.-]+)", text):
            return found[1]
    return "www.debian.org"


pytestmark = pytest.mark.skipif(os.geteuid() != 0, reason="starting an engine needs root")


async def test_two_run_beside_each_other_and_leave_nothing(tmp_path: Path) -> None:
    first, second = tmp_path / "first", tmp_path / "second"

    with local_engine(first) as one:
        with local_engine(second) as two:
            printed = [await printed_on(url, "echo done") for url in (one, two)]
            while_running = (traces(first), traces(second))
        # The second's end did not take the first's network along.
        again = await printed_on(one, "ip address show eth0")

    assert printed == [b"done\n", b"done\n"]
    assert b"inet 172." in again
    assert all(while_running)
    assert traces(first) == traces(second) == []


async def test_images_are_kept_for_the_next_time(tmp_path: Path) -> None:
    with local_engine(tmp_path) as url:
        async with DockerEngine(url) as engine:
            await have_base(engine)

    with local_engine(tmp_path) as url:
        async with DockerEngine(url) as engine:
            assert await engine.image(BASE) is not None


def test_a_folder_has_one_engine(tmp_path: Path) -> None:
    with local_engine(tmp_path):
        with pytest.raises(DidNotStart, match="already"), local_engine(tmp_path):
            pass
        assert traces(tmp_path) != []


@pytest.mark.parametrize("folder", ["short", "deep/" * 40])
@pytest.mark.parametrize("kills_engine", [True, False])
async def test_what_a_kill_left_is_cleared_away(
    tmp_path: Path, folder: str, kills_engine: bool
) -> None:
    data, seconds = tmp_path / folder, unique_seconds()
    with engine_of_another_process(data, seconds) as starter:
        try:
            await until(lambda: sleepers(seconds), seconds=30)
            # Held still, it can neither clear up after its engine nor end the build with itself.
            starter.send_signal(signal.SIGSTOP)
            if kills_engine:
                os.kill(int((data / "run" / "docker.pid").read_text()), signal.SIGKILL)
            left = (traces(data), sleepers(seconds))
        finally:
            starter.kill()

    with local_engine(data) as url:
        assert sleepers(seconds) == []
        assert await printed_on(url, "echo again") == b"again\n"

    assert all(left)
    assert traces(data) == []
    assert not (data / "run").exists()


async def test_builds_reach_what_the_machine_reaches(docker: DockerEngine) -> None:
    name = _public_name()
    try:
        socket.getaddrinfo(name, 80)
    except OSError:
        pytest.skip("this machine itself resolves no public names")

    # By name: the answer comes from a server beyond the machine, over the bridge.
    assert b"Name:" in await printed_on(docker.url, f"nslookup {name}")


def test_no_room_for_a_network_is_told(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PATH", str(tmp_path))

    with pytest.raises(DidNotStart, match="is not installed"), local_engine(tmp_path / "data"):
        pass


async def printed_on(url: str, line: str) -> bytes:
    """What a command prints in a build on the engine at `url`."""
    async with DockerEngine(url) as engine:
        await have_base(engine)
        builds = BuildsWith(engine, "buildkit")
        seen = await run(builds, {"Dockerfile": f"FROM {BASE}\nRUN {line}"}, no_cache=True)
    return seen.output[seen.step(f"RUN {line}").index]


def engine_of_another_process(data: Path, seconds: str) -> subprocess.Popen[bytes]:
    """A process that starts an engine in `data`, and on it a build that runs `sleep seconds`."""
    script = (
        "import asyncio, sys\n"
        "from pathlib import Path\n"
        "from server.local.engine import local_engine\n"
        "from tests.server.test_local_engine import printed_on\n"
        "with local_engine(Path(sys.argv[1])) as url:\n"
        "    asyncio.run(printed_on(url, f'sleep {sys.argv[2]}'))\n"
    )
    command = [sys.executable, "-c", script, str(data), seconds]
    return subprocess.Popen(command, env=os.environ | {"PYTHONPATH": str(_ROOT)})


def traces(data: Path) -> list[str]:
    """What the engine of a folder has on the machine, beside its files."""
    return [*_mentions(network_name(data)), *_mounts(data), *_cgroups(network_name(data))]


def _mentions(name: str) -> Iterator[str]:
    for command in (
        ["ip", "-brief", "link"],
        ["iptables", "-w", "-S"],
        ["iptables", "-w", "-t", "nat", "-S"],
    ):
        answer = subprocess.run(command, check=True, capture_output=True, text=True).stdout
        yield from (line for line in answer.splitlines() if name in line)


def _mounts(data: Path) -> Iterator[str]:
    mounts = Path("/proc/self/mountinfo").read_text().splitlines()
    yield from (mount for mount in mounts if f" {data}" in mount)


def _cgroups(name: str) -> Iterator[str]:
    yield from (str(group) for group in Path("/sys/fs/cgroup").glob(f"**/{name}"))
