"""A Docker Engine of our own on this machine, beside any other, that leaves nothing behind."""

import contextlib
import fcntl
import hashlib
import os
import shutil
import socket
import subprocess
import tempfile
from collections.abc import Iterator
from pathlib import Path

from server.local.network import bridge, mtu
from server.local.process import DidNotStart, running
from server.local.remains import clear

# BuildKit cuts a step's output at 2 MiB and 200 KiB a second unless told otherwise; -1 and larger
# numbers are not understood by Docker 20.10.
WHOLE_LOGS = {
    "BUILDKIT_STEP_LOG_MAX_SIZE": "2147483647",
    "BUILDKIT_STEP_LOG_MAX_SPEED": "2147483647",
}
# A socket's path has at most 107 bytes, and the engine's own go 34 deeper than its directory.
_LONGEST_RUN_PATH = 70


@contextlib.contextmanager
def local_engine(data: Path) -> Iterator[str]:
    """Run dockerd, as root, until the block ends; yields its address, `unix:///…`.

    Images and the build cache stay under `data` for the next time. What an earlier engine there
    left when it was killed is cleared away first, and nothing runs on after this one. Registries on
    loopback are spoken to without TLS. Variables of the environment that begin with `BUILDKIT_`
    take precedence over ours.

    Raises DidNotStart, with the reason.
    """
    if os.geteuid() != 0:
        raise DidNotStart("A Docker Engine of our own needs root; name a running one instead.")
    data.mkdir(parents=True, exist_ok=True)
    data = data.resolve()
    name = network_name(data)
    with contextlib.ExitStack() as stack:
        stack.enter_context(_alone(data / "engine.lock"))
        _clear(data, name)
        stack.callback(_clear, data, name)
        run = _run_directory(data)
        with _explained():
            stack.enter_context(bridge(name))
        address = run / "docker.sock"
        log = data / "engine.log"
        command = _command(data, run, name)
        stack.enter_context(
            running(
                command, log=log, ready=lambda: engine_answers(address), env=WHOLE_LOGS | os.environ
            )
        )
        yield f"unix://{address}"


def network_name(data: Path) -> str:
    """What the engine of a folder calls its bridge, its cgroup and its containerd namespace."""
    return f"dr{hashlib.sha256(bytes(data.resolve())).hexdigest()[:10]}"


def _command(data: Path, run: Path, name: str) -> list[str]:
    # Settings of the machine's own engine, in /etc/docker/daemon.json, are none of ours.
    settings = data / "engine.json"
    settings.write_text("{}\n")
    return [
        "dockerd",
        f"--config-file={settings}",
        f"--host=unix://{run / 'docker.sock'}",
        f"--data-root={data / 'engine'}",
        f"--exec-root={run / 'exec'}",
        f"--pidfile={run / 'docker.pid'}",
        # Never `none`: that removes the bridge of every other engine on the machine.
        f"--bridge={name}",
        f"--mtu={mtu()}",
        "--iptables=false",
        # A containerd that runs already is shared; its namespaces keep engines apart.
        f"--containerd-namespace={name}",
        f"--containerd-plugins-namespace={name}-plugins",
        # By systemd's driver a parent has to be one of its slices.
        "--exec-opt=native.cgroupdriver=cgroupfs",
        f"--cgroup-parent=/{name}",
    ]


def _clear(data: Path, name: str) -> None:
    link = data / "run"
    run = link.resolve()
    clear((data, run), name)
    shutil.rmtree(run, ignore_errors=True)
    if link.is_symlink():
        link.unlink()


@contextlib.contextmanager
def _alone(lock: Path) -> Iterator[None]:
    """Clearing away the remains must not hit an engine that somebody else runs here now."""
    with lock.open("w") as file:
        try:
            fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            raise DidNotStart(f"Another Docker Engine uses {lock.parent} already.") from None
        yield


def _run_directory(data: Path) -> Path:
    """Make the place for sockets and the like: `data/run`, or what that links to.

    Where sockets could not be named in it, a directory with a shorter name is made elsewhere; by
    the link it is found again after a kill.
    """
    run = data / "run"
    if len(os.fsencode(run)) <= _LONGEST_RUN_PATH:
        run.mkdir(mode=0o700)
        return run
    elsewhere = Path(tempfile.mkdtemp(prefix="darkroom-"))
    run.symlink_to(elsewhere)
    return elsewhere


@contextlib.contextmanager
def _explained() -> Iterator[None]:
    try:
        yield
    except subprocess.CalledProcessError as error:
        raise DidNotStart(f"{' '.join(error.cmd)}: {error.stderr.strip()}") from error
    except FileNotFoundError as error:
        raise DidNotStart(f"{error.filename} is not installed.") from error


def engine_answers(address: Path) -> bool:
    """Whether an engine listens and is ready for work."""
    with socket.socket(socket.AF_UNIX) as connection:
        connection.settimeout(2)
        try:
            connection.connect(str(address))
            connection.sendall(b"GET /_ping HTTP/1.0\r\n\r\n")
            return b" 200 " in connection.recv(64)
        except OSError:
            return False
