"""A server program that a test may stop, kill, freeze and start again, with the same data."""

import contextlib
import os
import signal
import socket
import subprocess
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path


@dataclass
class Program:
    """One server: how it is started, when it answers, and what ends it at once but in order."""

    command: Sequence[str]
    log: Path
    ready: Callable[[], bool]
    env: Mapping[str, str] | None = None
    user: str | None = None
    stop_signal: signal.Signals = signal.SIGTERM
    seconds: float = 60
    process: subprocess.Popen[bytes] | None = field(default=None, init=False)

    def start(self) -> None:
        """Start, and wait until it answers."""
        with self.log.open("ab") as output:
            self.process = subprocess.Popen(
                list(self.command),
                stdin=subprocess.DEVNULL,
                stdout=output,
                stderr=subprocess.STDOUT,
                env=self.env,
                user=self.user,
                group=self.user,
                extra_groups=[] if self.user else None,
                start_new_session=True,
            )
        deadline = time.monotonic() + self.seconds
        while not self.ready():
            if self.process.poll() is not None or time.monotonic() > deadline:
                tail = self.log.read_text(errors="replace")[-2000:]
                raise AssertionError(f"{self.command[0]} did not start:\n{tail}")
            time.sleep(0.05)

    def stop(self) -> None:
        """End in order."""
        self._end(self.stop_signal)

    def kill(self) -> None:
        """As a crash would end it."""
        self._end(signal.SIGKILL)

    def restart(self) -> None:
        """End in order and start again."""
        self.stop()
        self.start()

    @contextlib.contextmanager
    def frozen(self) -> Iterator[None]:
        """As a machine that swaps, or a network that swallows everything."""
        assert self.process
        os.killpg(self.process.pid, signal.SIGSTOP)
        try:
            yield
        finally:
            with contextlib.suppress(ProcessLookupError):  # it was killed meanwhile
                os.killpg(self.process.pid, signal.SIGCONT)

    @contextlib.contextmanager
    def running(self) -> Iterator["Program"]:
        """Run until the block ends, whatever was done to it meanwhile."""
        self.start()
        try:
            yield self
        finally:
            self.stop()

    def _end(self, number: signal.Signals) -> None:
        if self.process is None or self.process.poll() is not None:
            return
        self.process.send_signal(number)
        try:
            self.process.wait(20)
        except subprocess.TimeoutExpired:
            self.process.kill()
            self.process.wait()


def listens(port: int) -> Callable[[], bool]:
    """Whether somebody takes connections on a port of loopback."""

    def answer() -> bool:
        with socket.socket() as probe:
            probe.settimeout(1)
            return probe.connect_ex(("127.0.0.1", port)) == 0

    return answer
