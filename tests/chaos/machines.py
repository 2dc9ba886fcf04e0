"""What runs Darkroom: engines, workers and servers that are killed, and started again as an
orchestrator would."""

import contextlib
import os
import signal
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Protocol
from uuid import uuid4

from server.local.engine import local_engine
from server.local.process import DidNotStart, free_port
from tests.chaos.disk import Disk
from tests.fixtures.columns import Worker, worker
from tests.fixtures.service import Server, serving

# A process that finds the database away when it starts ends with a clear line, and is started anew.
START_SECONDS = 120


class Machine(Protocol):
    """Anything that a run starts and stops."""

    def start(self) -> None: ...

    def stop(self) -> None: ...


@contextlib.contextmanager
def running(machines: Sequence[Machine]) -> Iterator[None]:
    """Start one after another; whatever was done to them, all end with the block."""
    with contextlib.ExitStack() as stack:
        for machine in machines:
            machine.start()
            stack.callback(machine.stop)
        yield


@dataclass
class Engine:
    """A Docker Engine of our own, whose images outlive it."""

    folder: Path
    url: str = ""
    _stack: contextlib.ExitStack = field(default_factory=contextlib.ExitStack)

    def start(self) -> None:
        """Start it, with what it held before."""
        self.url = self._stack.enter_context(local_engine(self.folder))

    def stop(self) -> None:
        """End it in order."""
        self._stack.close()

    def kill(self) -> None:
        """As a crash would end it, and whatever it ran."""
        os.kill(int((self.folder / "run" / "docker.pid").read_text()), signal.SIGKILL)
        self.stop()


@dataclass
class WorkerMachine:
    """A machine with one worker; when the worker is replaced, its engine and its disk stay."""

    number: int
    engine: Engine
    disk: Disk
    settings: Mapping[str, str]
    worker: Worker | None = None

    @property
    def running(self) -> Worker:
        """The worker that runs here now."""
        assert self.worker
        return self.worker

    @property
    def data(self) -> Path:
        return self.disk.path / "data"

    @property
    def process(self) -> int:
        """The id of the worker's process, and of its process group."""
        assert self.running.program.process
        return self.running.program.process.pid

    def start(self) -> None:
        """Start a worker; like a pod's, its name is a new one."""

        def attempt() -> None:
            name = f"worker-{self.number}-{uuid4().hex[:6]}"
            settings = {**self.settings, "ENGINE_URL": self.engine.url}
            self.worker = worker(self.data, settings, name)
            # Its log is none of what fills the worker's disk.
            self.worker.program.log = self.disk.path.with_name(f"{name}.log")
            self.worker.program.log.touch()
            log = self.worker.program.log
            self.worker.program.ready = lambda: "building as" in log.read_text(errors="replace")
            self.worker.program.start()

        until_it_starts(attempt)

    def stop(self) -> None:
        """SIGTERM: hand back what runs, and end."""
        self.running.program.stop()

    def restart(self) -> None:
        """End in order, and start with the settings of now."""
        self.stop()
        self.start()

    def kill(self) -> None:
        """As a crash would end it."""
        self.running.program.kill()


@dataclass
class ServerMachine:
    """A machine with one server, always at the same address."""

    data: Path
    settings: Mapping[str, str]
    port: int = field(default_factory=free_port)
    server: Server | None = None
    _stack: contextlib.ExitStack = field(default_factory=contextlib.ExitStack)

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.port}"

    @property
    def running(self) -> Server:
        """The server that runs here now."""
        assert self.server
        return self.server

    def start(self) -> None:
        """Serve, at the address of before."""

        def attempt() -> None:
            serves = serving(self.data, self.settings, self.port)
            self.server = self._stack.enter_context(serves)

        until_it_starts(attempt)

    def stop(self) -> None:
        """SIGTERM: end in order."""
        self._stack.close()

    def restart(self) -> None:
        """End in order, and start with the settings of now."""
        self.stop()
        self.start()

    def kill(self) -> None:
        """As a crash would end it."""
        self.running.kill()
        self._stack.close()


def until_it_starts(attempt: Callable[[], None]) -> None:
    """Start a process again and again, as an orchestrator does."""
    deadline = time.monotonic() + START_SECONDS
    while True:
        try:
            attempt()
        except (AssertionError, DidNotStart):
            if time.monotonic() > deadline:
                raise
        else:
            return
