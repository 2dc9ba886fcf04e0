"""The figures: in the terminal one by one, and as a table in `docs/benchmarks.md`."""

import datetime
import os
import platform
from collections.abc import Sequence
from pathlib import Path

import settings
from benchmarks import docker_cli
from benchmarks.figures import Figure
from benchmarks.lab import Lab

_HEADINGS = ("Figure", "Darkroom", "Baseline", "Ratio", "Target", "Met", "Command")


def show(figure: Figure) -> None:
    """Print one figure."""
    measured, baseline = figure.shown(figure.measured), figure.shown(figure.baseline)
    print(f"{figure.title}: {figure.ratio:.2f}")
    print(f"  {measured}, against {baseline}: {figure.baseline_name}")
    if figure.target is None:
        print("  no target", flush=True)
    else:
        print(f"  {figure.goal}: {'met' if figure.met else 'MISSED'}", flush=True)


def write(path: Path, lab: Lab, figures: Sequence[Figure], rounds: int) -> None:
    """Write the table, and where it was measured, as Markdown."""
    rows = [_HEADINGS, tuple("---" for _ in _HEADINGS), *map(_cells, figures)]
    table = "\n".join(f"| {' | '.join(row)} |" for row in rows)
    path.write_text(_PAGE.format(table=table, machine=_machine(lab), rounds=rounds))


def _cells(figure: Figure) -> tuple[str, ...]:
    return (
        figure.title,
        figure.shown(figure.measured),
        f"{figure.shown(figure.baseline)}: {figure.baseline_name}",
        f"{figure.ratio:.2f}",
        figure.goal,
        "" if figure.target is None else "yes" if figure.met else "**no**",
        f"`{figure.command}`",
    )


def _machine(lab: Lab) -> str:
    engine = lab.engine_info
    facts = {
        "Date": datetime.datetime.now(datetime.UTC).date().isoformat(),
        "Machine": f"{os.cpu_count()} cores ({_processor()}), {_memory()} GiB of memory",
        "System": f"{_system()}, Linux {_kernel()}, Python {platform.python_version()}",
        "Engine": f"{engine.name} {engine.version} ({engine.builder}, {engine.image_store} store)",
        "Baseline": f"docker CLI {docker_cli.version(docker_cli.find())}",
        "Darkroom": f"{settings.VERSION}, one process and SQLite unless said otherwise",
    }
    return "\n".join(f"- {name}: {value}" for name, value in facts.items())


def _processor() -> str:
    lines = Path("/proc/cpuinfo").read_text().splitlines()
    models = (line.partition(":")[2].strip() for line in lines if line.startswith("model name"))
    return next(models, platform.machine())


def _kernel() -> str:
    return platform.release().partition("-")[0]


def _memory() -> int:
    return round(os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES") / 1024**3)


def _system() -> str:
    return platform.freedesktop_os_release().get("PRETTY_NAME", "Linux")


_PAGE = """\
# Benchmarks

`make bench` measures everything below and writes this page. It starts the servers that it needs,
a Docker Engine, a registry and `darkroom serve` in a process of its own, and leaves nothing behind.
A figure alone: the command beside it.

Every figure is held against a baseline of the same run, taken in turn with it, {rounds} rounds
each, builds a minute at most two. A value is the median of its rounds, with the lowest and the
highest in brackets. The ratio is the median of the rounds' ratios, and so is what is held against
the target: what else the machine does weighs on both sides of a round alike. Memory is the most
that was resident at any moment.

{table}

{machine}

## What is measured

- **Nothing cached**: a Dockerfile that writes, hashes and compresses 48 MiB, and leaves a layer of
  48 MiB to push. Darkroom's time runs from sending `createImageFromDockerfile` until
  `buildUpdated` says `SUCCEEDED`; the CLI's, from starting `docker build` until `docker push` ends.
  Darkroom in that time also resolves the base image, freezes the context, keeps the log, and reads
  the result back from the registry.
- **Every step cached**: the same Dockerfile once more, under another name.
- **Log lines**: `RUN seq 400000`. The baseline posts the same build to the engine and reads the
  answer without decoding it; Darkroom's time holds the whole build, with its push.
- **A line's way**: each line is the time of its printing. The baseline decodes the engine's answer
  and stops there, so it shows what BuildKit itself holds lines back for.
- **From git**: a repository of 1,000 sources and 11 files of weights. To the first step, Darkroom
  looks at the repository while the user waits, fetches, checks out and archives the commit, and
  sends it to the engine; the baseline fetches and no more. The server sends 100 Mbit/s: over
  loopback, fetching takes less time than writing the files does.
- **Freezing**: random bytes; what is frozen is also hashed and compressed.
- **Saving**: random bytes in a container of the cluster that the tests run on; left out where there
  is none. Darkroom's time holds a Job on the container's node, its checks, and the record.
- **Memory**: a tar of random bytes through the multipart upload, until the build has succeeded.
- **Finding images**: five categories of eight tags, four tags an image on average, a thousand
  owners; a user who is no administrator asks by HTTP, with a token. The baseline sends the
  statements for the same page, count and facets to the same database and decodes the rows: no HTTP,
  no GraphQL. Each round compares the answers. A deep page is reached by following the cursors, and
  asked for without the count and the facets, which would hide a difference.
- **Requests**: `wrk` keeps 16 connections busy; a request's time is the inverse of the requests
  that are answered in a second. Bare strawberry parses and validates the same document each time,
  as it does unless told otherwise. Its caches spare it that, and leave an endpoint that neither
  authenticates nor limits nor logs anything: it shows what these cost, and has no target.
- **Subscribers**: a server, a worker, PostgreSQL and Redis, each a process of its own; one process
  holds all subscribers, each with a WebSocket. The worker is frozen until they are there; then the
  build prints for ten seconds.
- **Replay**: the build's writer put the lines into rows; the build still runs, so they are read
  from there, from the subscription on. The subscriber decodes JSON. The baseline fetches all rows
  by one statement; it, too, is connected before it begins.
- **The first line**: nothing else is under way, the subscriber connects once it has the build's id.
  The engine answers its first message when it has read the context; Darkroom's line is older.
- **Builds a minute**: a builder that does nothing, and a registry that has everything, so that what
  is measured is Darkroom; workers of two builds at once each, on a queue that was filled before. On
  a machine of few cores, servers and workers share them: more workers than cores gain nothing.
  Statements are counted in PostgreSQL's log, in runs of their own; notifications are among them.
"""
