"""What an engine that was killed leaves on a machine: processes, cgroups, mounts."""

import contextlib
import os
import signal
import subprocess
import time
from collections.abc import Iterable, Iterator
from pathlib import Path

_ENGINE_PROGRAMS = frozenset({"dockerd", "containerd", "containerd-shim", "runc"})
_CGROUPS = Path("/sys/fs/cgroup")
_SECONDS = 10.0


def clear(directories: Iterable[Path], cgroup: str) -> None:
    """End what runs and undo what is mounted under `directories`, and in the cgroup `cgroup`."""
    places = [directory.resolve() for directory in directories]
    _end(_engines(places))
    groups = [group for root in _hierarchies() if (group := root / cgroup).is_dir()]
    _end(_members(groups))
    _unmount(places)
    for group in groups:
        _remove_cgroup(group)


def _engines(places: list[Path]) -> Iterator[int]:
    """Programs of an engine whose command line names one of the places."""
    for process in Path("/proc").glob("[0-9]*"):
        with contextlib.suppress(OSError):  # it ended while we looked
            if (process / "comm").read_text().strip() not in _ENGINE_PROGRAMS:
                continue
            arguments = (process / "cmdline").read_bytes().decode(errors="replace").split("\0")
            if any(f"{place}/" in argument for argument in arguments for place in places):
                yield int(process.name)


def _hierarchies() -> Iterator[Path]:
    """The roots of the cgroup trees: one in version 2, one for each controller in version 1."""
    yield _CGROUPS
    yield from (path for path in _CGROUPS.glob("*") if path.is_dir())


def _members(groups: Iterable[Path]) -> Iterator[int]:
    for group in groups:
        for members in group.rglob("cgroup.procs"):
            with contextlib.suppress(OSError):
                yield from map(int, members.read_text().split())


def _end(processes: Iterable[int]) -> None:
    """Kill, and wait until they are gone: what they hold cannot be unmounted before."""
    ended = set(processes)
    for process in ended:
        with contextlib.suppress(ProcessLookupError):
            os.kill(process, signal.SIGKILL)
    deadline = time.monotonic() + _SECONDS
    while any(map(_lives, ended)) and time.monotonic() < deadline:
        time.sleep(0.02)


def _lives(process: int) -> bool:
    try:
        status = Path(f"/proc/{process}/stat").read_text()
    except OSError:
        return False
    # After the name, which is in brackets and may hold anything: Z is a zombie.
    return status.rpartition(")")[2].split()[0] != "Z"


def _unmount(places: list[Path]) -> None:
    points = [
        # Blanks and the like are written as octal numbers.
        line.split()[4].encode().decode("unicode_escape")
        for line in Path("/proc/self/mountinfo").read_text().splitlines()
    ]
    for point in reversed(points):
        if any(Path(point).is_relative_to(place) for place in places):
            subprocess.run(["umount", "--lazy", point], check=True, capture_output=True)


def _remove_cgroup(group: Path) -> None:
    """Remove a tree of cgroups, whose files vanish with their directory; deepest first."""
    deepest_first = sorted((p for p in group.rglob("*") if p.is_dir()), reverse=True)
    for directory in (*deepest_first, group):
        with contextlib.suppress(OSError):
            directory.rmdir()
