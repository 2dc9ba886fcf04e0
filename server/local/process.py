"""A server program that is started here, waited for, and ended by its own id."""

import contextlib
import signal
import socket
import subprocess
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from pathlib import Path


class DidNotStart(Exception):
    """A program ended early or did not answer in time; the message holds the end of its log."""


def free_port() -> int:
    """A TCP port on loopback that nobody listens on now."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port: int = probe.getsockname()[1]
        return port


@contextlib.contextmanager
def running(
    command: Sequence[str],
    *,
    log: Path,
    ready: Callable[[], bool],
    env: Mapping[str, str] | None = None,
    seconds: float = 30,
) -> Iterator[subprocess.Popen[bytes]]:
    """Run `command` until the block ends: enter once `ready()`, leave with SIGTERM, then SIGKILL.

    Raises DidNotStart when it exits or stays silent for `seconds`.
    """
    with log.open("ab") as output:
        process = subprocess.Popen(
            list(command),
            stdin=subprocess.DEVNULL,
            stdout=output,
            stderr=subprocess.STDOUT,
            env=env,
            # A Ctrl-C in the terminal is for the one who started us; we end our children in order.
            start_new_session=True,
        )
    try:
        _wait_until(ready, process, seconds, log)
        yield process
    finally:
        end(process)


def end(process: subprocess.Popen[bytes], seconds: float = 20) -> None:
    """Ask a process to end, and make it end when it does not."""
    if process.poll() is None:
        process.send_signal(signal.SIGTERM)
        try:
            process.wait(seconds)
        except subprocess.TimeoutExpired:
            process.kill()
    process.wait()


def _wait_until(
    ready: Callable[[], bool], process: subprocess.Popen[bytes], seconds: float, log: Path
) -> None:
    deadline = time.monotonic() + seconds
    while not ready():
        if process.poll() is not None or time.monotonic() > deadline:
            tail = log.read_text(errors="replace")[-2000:]
            raise DidNotStart(f"{log.stem} did not start:\n{tail}")
        time.sleep(0.05)
