"""Running the `git` program: nothing of this machine's goes in, nothing of it stays behind.

Every run gets a fresh environment and no configuration but what is listed here: no user's or
system's settings, no hooks, no filters, no prompts, and no transport that was not allowed. A run is
a process group of its own, and leaving it by any way (also by cancelling) kills the whole group.
"""

import asyncio
import contextlib
import os
import re
import signal
from collections import deque
from collections.abc import AsyncIterator, Awaitable, Callable, Sequence
from dataclasses import dataclass, field
from pathlib import Path

from engine.git.credentials import Credentials, handed_over
from engine.git.failures import failure_of
from engine.git.finishing import in_full
from engine.git.guard import Endpoint
from engine.git.policy import GitPolicy

OnLine = Callable[[str], Awaitable[None]]

_SETTINGS = {
    "core.hooksPath": "/dev/null",
    "core.fsmonitor": "false",
    "core.askPass": "",
    "core.bigFileThreshold": "8m",  # larger objects are streamed, never held in memory
    "core.packedGitLimit": "64m",
    "core.packedGitWindowSize": "8m",  # the default maps up to 1 GiB of a pack at once
    "core.deltaBaseCacheLimit": "32m",
    "credential.helper": "",
    "fetch.writeCommitGraph": "false",
    "fetch.recurseSubmodules": "false",
    "submodule.recurse": "false",
    "gc.auto": "0",
    "maintenance.auto": "false",
    "http.followRedirects": "false",  # each hop is checked before git sees the last one
    "i18n.logOutputEncoding": "UTF-8",
    "protocol.allow": "never",
    "transfer.bundleURI": "false",
    # What attacks a checkout is refused on arrival; what old tools merely got wrong is let pass.
    "fetch.fsckObjects": "true",
    "fetch.fsck.zeroPaddedFilemode": "ignore",
    "fetch.fsck.missingSpaceBeforeDate": "ignore",
    "fetch.fsck.badTimezone": "ignore",
    "fetch.fsck.missingSpaceBeforeEmail": "ignore",
    "fetch.fsck.badDateOverflow": "ignore",
}
_KEPT_STDERR = 60
_TERMINATORS = re.compile(rb"[\r\n]")


async def silent(line: str) -> None:
    """Nobody listens."""


@dataclass(frozen=True, slots=True)
class Git:
    """The program, bound to one server. `home` is a private directory that the caller removes."""

    home: Path
    policy: GitPolicy
    endpoint: Endpoint
    credentials: Credentials | None = field(default=None, repr=False)

    async def output(self, *arguments: str, network: bool = False, limit: int = 1 << 20) -> bytes:
        """What a command prints, up to `limit` bytes. Raises BuildFailed if it fails."""
        collected = bytearray()
        async with self.stream(*arguments, network=network) as chunks:
            async for chunk in chunks:
                collected += chunk[: limit - len(collected)]
        return bytes(collected)

    async def talk(self, *arguments: str, on_line: OnLine = silent) -> None:
        """A command that talks to the server and prints nothing but progress."""
        async with self.stream(*arguments, network=True, on_line=on_line) as chunks:
            async for _ in chunks:
                pass

    @contextlib.asynccontextmanager
    async def stream(
        self, *arguments: str, network: bool = False, on_line: OnLine = silent
    ) -> AsyncIterator[AsyncIterator[bytes]]:
        """Standard output in chunks. Leaving early ends the program; at the end it must succeed."""
        with handed_over(self.credentials if network else None, self.endpoint) as descriptor:
            process = await asyncio.create_subprocess_exec(
                "git",
                *self._options(network, descriptor),
                *arguments,
                stdin=asyncio.subprocess.DEVNULL,
                stdout=asyncio.subprocess.PIPE,
                stderr=asyncio.subprocess.PIPE,
                env=self._environment(),
                pass_fds=() if descriptor is None else (descriptor,),
                start_new_session=True,
            )
            tail: deque[str] = deque(maxlen=_KEPT_STDERR)
            listening = asyncio.create_task(self._listen(process, tail, on_line))
            try:
                assert process.stdout is not None  # noqa: S101  # for mypy: it is a pipe
                yield _chunks(process.stdout)
                if not process.stdout.at_eof():
                    return
                await listening
                if await process.wait() != 0:
                    raise failure_of(self._redact("\n".join(tail)), self.endpoint.host)
            finally:
                _kill_group(process)
                await in_full(_wind_up(process, listening))

    def _redact(self, text: str) -> str:
        return self.credentials.redact(text) if self.credentials else text

    async def _listen(
        self, process: asyncio.subprocess.Process, tail: deque[str], on_line: OnLine
    ) -> None:
        assert process.stderr is not None  # noqa: S101  # for mypy: it is a pipe
        try:
            async for raw in _lines(process.stderr):
                if line := self._redact(raw.decode(errors="replace")).strip():
                    tail.append(line[:1000])
                    await on_line(line[:1000])
        except BaseException:
            # Nobody reads on, so the program would wait for ever with its pipe full.
            _kill_group(process)
            raise

    def _options(self, network: bool, descriptor: int | None) -> Sequence[str]:
        settings = dict(_SETTINGS)
        if network:
            settings[f"protocol.{self.endpoint.scheme}.allow"] = "always"
            settings["http.curloptResolve"] = self.endpoint.pin
            settings["http.lowSpeedLimit"] = "1"
            settings["http.lowSpeedTime"] = str(max(1, int(self.policy.stall_seconds)))
            if self.policy.ca_file:
                settings["http.sslCAInfo"] = str(self.policy.ca_file)
        if descriptor is not None:
            settings["include.path"] = f"/proc/self/fd/{descriptor}"
        return [part for key, value in settings.items() for part in ("-c", f"{key}={value}")]

    def _environment(self) -> dict[str, str]:
        return {
            "PATH": os.environ.get("PATH", os.defpath),
            "HOME": str(self.home),
            "GIT_DIR": str(self.home / "repository.git"),
            "TMPDIR": str(self.home),
            "LC_ALL": "C",
            "GIT_CONFIG_NOSYSTEM": "1",
            "GIT_CONFIG_GLOBAL": "/dev/null",
            "GIT_ATTR_NOSYSTEM": "1",
            "GIT_CEILING_DIRECTORIES": str(self.home),
            "GIT_TERMINAL_PROMPT": "0",
            "GIT_OPTIONAL_LOCKS": "0",
            "GIT_SSH_COMMAND": self._ssh(),
            "GIT_SSH_VARIANT": "ssh",
        }

    def _ssh(self) -> str:
        # HostName pins the checked address; the key is still looked up under the host's name.
        host, address = self.endpoint.host, self.endpoint.addresses[0]
        return (
            f"ssh -o BatchMode=yes -o StrictHostKeyChecking=yes -o HostName={address} "
            f"-o HostKeyAlias={host} -o ProxyCommand=none -o ForwardAgent=no "
            f"-o ConnectTimeout={max(1, int(self.policy.connect_seconds))}"
        )


async def _chunks(output: asyncio.StreamReader) -> AsyncIterator[bytes]:
    while chunk := await output.read(1 << 16):
        yield chunk


async def _lines(errors: asyncio.StreamReader) -> AsyncIterator[bytes]:
    """Progress rewrites its line with a carriage return: each state of it is a line here."""
    rest = b""
    while chunk := await errors.read(1 << 16):
        *lines, rest = _TERMINATORS.split(rest + chunk)
        rest = rest[-4096:]
        for line in lines:
            yield line
    yield rest


async def _wind_up(process: asyncio.subprocess.Process, listening: asyncio.Task[None]) -> None:
    """Reap a program that was killed, and close its pipes: only reading to the end does that."""
    listening.cancel()
    await asyncio.wait({listening})
    for pipe in (process.stdout, process.stderr):
        while pipe and await pipe.read(1 << 16):
            pass
    await process.wait()


def _kill_group(process: asyncio.subprocess.Process) -> None:
    """Git, its transport, its unpacker: all of them, at once."""
    with contextlib.suppress(ProcessLookupError):
        os.killpg(process.pid, signal.SIGKILL)
