"""What a server's memory grows by while a context of 1 GiB is uploaded and built.

Random bytes, which no compression makes smaller. The kernel keeps the most memory that a process
ever had resident (`VmHWM` in proc(5)), and forgets it on request (`clear_refs`).
"""

import asyncio
import io
import os
import tarfile
from pathlib import Path

from benchmarks.figures import Figure
from benchmarks.lab import Darkroom, Lab

COMMAND = "python -m benchmarks upload_memory"
CONTEXT_BYTES = 1024**3
_FILES = 16
_CHUNK = 1024**2
_DOCKERFILE = b"FROM scratch\nCOPY Dockerfile /\n"


async def run(lab: Lab, rounds: int) -> list[Figure]:
    """One upload to each of several servers: what was touched once stays resident."""
    measured, baseline = [], []
    for number in range(rounds):
        archive = lab.folder / "context.tar"
        await asyncio.to_thread(_write_archive, archive)
        async with lab.darkroom() as darkroom:
            pid = darkroom.server.process.pid
            await _upload(darkroom, f"/bench/warm-{number}:1", _small())
            _forget_peak(pid)
            before = _mebibytes(pid, "VmRSS")
            await _upload(darkroom, f"/bench/upload-{number}:1", archive)
            baseline.append(before)
            measured.append(_mebibytes(pid, "VmHWM"))
        archive.unlink()
    return [
        Figure(
            "The server's memory at its peak, while 1 GiB is uploaded and built",
            COMMAND,
            measured,
            baseline,
            baseline_name="the same server before",
            unit="MiB",
            compared="difference",
            target=100,
        )
    ]


async def _upload(darkroom: Darkroom, name: str, archive: Path | bytes) -> None:
    created = await darkroom.client.upload("context.tar", archive, name=name)
    build = await darkroom.client.finished(created)
    if build["status"] != "SUCCEEDED":
        raise RuntimeError(f"The build did not succeed: {build['failure']}")


def _write_archive(path: Path) -> None:
    with path.open("wb") as file, tarfile.open(fileobj=file, mode="w") as archive:
        archive.addfile(_entry("Dockerfile", len(_DOCKERFILE)), io.BytesIO(_DOCKERFILE))
        for number in range(_FILES):
            archive.addfile(_entry(f"weights-{number}", CONTEXT_BYTES // _FILES), _Noise())


def _small() -> bytes:
    buffer = io.BytesIO()
    with tarfile.open(fileobj=buffer, mode="w") as archive:
        archive.addfile(_entry("Dockerfile", len(_DOCKERFILE)), io.BytesIO(_DOCKERFILE))
    return buffer.getvalue()


def _entry(name: str, size: int) -> tarfile.TarInfo:
    entry = tarfile.TarInfo(name)
    entry.size = size
    return entry


class _Noise(io.RawIOBase):
    """Random bytes without an end."""

    def read(self, size: int = -1, /) -> bytes:
        return os.urandom(min(size, _CHUNK) if size >= 0 else _CHUNK)


def _forget_peak(pid: int) -> None:
    Path(f"/proc/{pid}/clear_refs").write_text("5")


def _mebibytes(pid: int, field: str) -> float:
    """A size in the process's status, which proc(5) gives in KiB."""
    for line in Path(f"/proc/{pid}/status").read_text().splitlines():
        name, _, value = line.partition(":")
        if name == field:
            return int(value.split()[0]) / 1024
    raise RuntimeError(f"The kernel does not tell {field}.")
