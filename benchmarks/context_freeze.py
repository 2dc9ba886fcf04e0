"""Freezing a context of 1 GiB in 10,000 files, against `tar` of the same.

Frozen, it is compressed and named by its digest; tar does neither.
"""

import asyncio
import os
import subprocess
import time
from pathlib import Path

from benchmarks.figures import Figure
from benchmarks.lab import Lab
from engine.context import freeze

COMMAND = "python -m benchmarks context_freeze"
FILES, TOTAL = 10_000, 1024**3


async def run(lab: Lab, rounds: int) -> list[Figure]:
    """Both in turn; the first round warms up and is not counted."""
    context = lab.folder / "context"
    await asyncio.to_thread(_write, context)
    measured, baseline = [], []
    for number in range(rounds + 1):
        frozen = await asyncio.to_thread(_freeze, context, lab.folder / "context.tar.zst")
        archived = await asyncio.to_thread(_tar, context, lab.folder / "context.tar")
        if number:
            measured.append(frozen)
            baseline.append(archived)
    return [
        Figure(
            "Freezing a context of 1 GiB in 10,000 files",
            COMMAND,
            measured,
            baseline,
            baseline_name="`tar -cf`",
            unit="s",
            compared="ratio",
            target=1.5,
        )
    ]


def _write(context: Path) -> None:
    for number in range(FILES):
        folder = context / str(number // 100)
        folder.mkdir(parents=True, exist_ok=True)
        (folder / str(number)).write_bytes(os.urandom(TOTAL // FILES))
    (context / "Dockerfile").write_text("FROM scratch\nCOPY . /\n")


def _freeze(context: Path, out: Path) -> float:
    start = time.perf_counter()
    freeze(context, "Dockerfile", out)
    return time.perf_counter() - start


def _tar(context: Path, out: Path) -> float:
    start = time.perf_counter()
    subprocess.run(["tar", "-cf", out, "-C", context, "."], check=True)
    return time.perf_counter() - start
