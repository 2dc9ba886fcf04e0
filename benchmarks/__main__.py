"""Measure Darkroom against the baselines; docs/benchmarks.md tells what is measured.

Exits with 1 when a figure misses its target.
"""

import asyncio
import signal
import sys
from collections.abc import Awaitable, Callable, Sequence
from pathlib import Path

import click

from benchmarks import (
    build_time,
    builds_per_minute,
    context_freeze,
    finding,
    first_line,
    git_source,
    lab,
    log_latency,
    log_replay,
    log_throughput,
    many_subscribers,
    report,
    requests_per_second,
    saving,
    upload_memory,
)
from benchmarks.figures import Figure

Benchmark = Callable[[lab.Lab, int], Awaitable[list[Figure]]]

BENCHMARKS: dict[str, Benchmark] = {
    "build_time": build_time.run,
    "log_throughput": log_throughput.run,
    "log_latency": log_latency.run,
    "upload_memory": upload_memory.run,
    "git_source": git_source.run,
    "context_freeze": context_freeze.run,
    "finding": finding.run,
    "requests_per_second": requests_per_second.run,
    "many_subscribers": many_subscribers.run,
    "log_replay": log_replay.run,
    "builds_per_minute": builds_per_minute.run,
    "first_line": first_line.run,
    "saving": saving.run,
}
PAGE = Path(__file__).parents[1] / "docs" / "benchmarks.md"


@click.command(help=__doc__)
@click.argument("names", nargs=-1, type=click.Choice(list(BENCHMARKS)))
@click.option("--rounds", default=5, show_default=True, help="How often each is measured.")
def main(names: Sequence[str], rounds: int) -> None:
    """All of them, written into the docs, unless some are named."""
    # As a Ctrl-C: the servers are to end with us.
    signal.signal(signal.SIGTERM, signal.default_int_handler)
    figures = asyncio.run(_measure(names, rounds))
    sys.exit(0 if all(figure.met for figure in figures) else 1)


async def _measure(names: Sequence[str], rounds: int) -> list[Figure]:
    figures: list[Figure] = []
    async with lab.opened() as opened:
        for name in names or BENCHMARKS:
            for figure in await BENCHMARKS[name](opened, rounds):
                report.show(figure)
                figures.append(figure)
        if not names:
            report.write(PAGE, opened, figures, rounds)
            print(f"Written: {PAGE}")
    return figures


if __name__ == "__main__":
    main()
