"""A token is in no argument, no environment, no file and no message; a fetch that ends is gone."""

import asyncio
import os
import time
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import pytest
import uvloop

from engine.git.client import GitPolicy, GitRequest, check, fetch
from engine.git.credentials import Credentials
from models.enums import FailureCode
from tests.fixtures.git import BareRepository, GitServer, Log, failing_fetch, left_behind
from tests.servers.git_http import basic

# A server runs on uvloop, which starts programs and closes pipes in ways of its own.
on_both_loops = pytest.mark.parametrize(
    "loop", [asyncio.new_event_loop, uvloop.new_event_loop], ids=["asyncio", "uvloop"]
)
NewLoop = Callable[[], asyncio.AbstractEventLoop]


def children() -> list[int]:
    """All descendants of this process that hang off a session of their own: git and its helpers."""
    parents: dict[int, int] = {}
    for place in Path("/proc").glob("[0-9]*"):
        try:
            status = (place / "stat").read_text()
        except OSError:
            continue
        parents[int(place.name)] = int(status.rpartition(")")[2].split()[1])
    found, grown = {os.getpid()}, True
    while grown:
        more = {pid for pid, parent in parents.items() if parent in found} - found
        grown, found = bool(more), found | more
    return sorted(found - {os.getpid()})


def read(pid: int, name: str) -> bytes:
    try:
        return Path(f"/proc/{pid}/{name}").read_bytes()
    except OSError:
        return b""


def programs() -> list[int]:
    """The git programs of the fetch alone, not those of the server that tests run beside it."""
    return [pid for pid in children() if b"protocol.allow=never" in read(pid, "cmdline")
            or b"GIT_TERMINAL_PROMPT=0" in read(pid, "environ")]  # fmt: skip


async def until(true: Callable[[], bool], seconds: float = 10) -> None:
    deadline = time.monotonic() + seconds
    while not true():
        assert time.monotonic() < deadline
        await asyncio.sleep(0.01)


def asked_for_the_pack(server: GitServer, since: int) -> bool:
    return any(request["fetch"] for request in server.requests()[since:])


async def test_a_private_repository_opens_with_its_token(
    git_server: GitServer, demo_repository: BareRepository, git_policy: GitPolicy, tmp_path: Path
) -> None:
    for door in ("private", "hidden"):
        since = len(git_server.requests())
        request = GitRequest(
            url=git_server.url("demo.git", door), ref="main", token=git_server.token
        )
        assert await check(request, git_policy) == []
        await fetch(request, git_policy, tmp_path / door, Log())
        sent = {request["authorization"] for request in git_server.requests()[since:]}
        assert sent == {basic("oauth2", git_server.token)}
    wrong_name = replace(request, token_name="somebody")
    (problem,) = await check(wrong_name, git_policy)
    assert problem.field == "url"


@pytest.fixture
async def stalled(
    git_server: GitServer, demo_repository: BareRepository, git_policy: GitPolicy, tmp_path: Path
) -> "tuple[asyncio.Task[object], Path]":
    """A fetch with a token whose server says nothing once it is asked for the pack."""
    since = len(git_server.requests())
    into = tmp_path / "tree"
    request = GitRequest(
        url=git_server.url("demo.git", "stall"), ref="main", token=git_server.token
    )
    task: asyncio.Task[object] = asyncio.create_task(fetch(request, git_policy, into, Log()))
    await until(lambda: asked_for_the_pack(git_server, since))
    return task, into


async def test_no_process_and_no_file_shows_the_token(
    stalled: tuple[asyncio.Task[object], Path], git_server: GitServer
) -> None:
    task, into = stalled
    secrets = [git_server.token.encode(), basic("oauth2", git_server.token)[6:].encode()]
    running = programs()
    names = [read(pid, "cmdline").split(b"\0")[0].rpartition(b"/")[2] for pid in running]
    assert b"git" in names
    assert any(b"remote-http" in read(pid, "cmdline") for pid in running)
    shown = [read(pid, name) for pid in [*running, os.getpid()] for name in ("cmdline", "environ")]
    (home,) = into.parent.glob(".git-*")
    files = [path.read_bytes() for path in home.rglob("*") if path.is_file()]
    assert len(files) >= 2
    assert not [text for text in [*shown, *files] for secret in secrets if secret in text]
    assert home.stat().st_mode & 0o077 == 0
    task.cancel()
    await asyncio.wait({task})


async def test_a_cancel_ends_every_process_at_once_and_removes_everything(
    stalled: tuple[asyncio.Task[object], Path],
) -> None:
    task, into = stalled
    running = programs()
    assert len(running) >= 2
    began = time.monotonic()
    task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await task
    assert time.monotonic() - began < 1
    await until(lambda: all(read(pid, "cmdline") == b"" for pid in running), seconds=1)
    assert left_behind(into) == []


async def test_a_second_cancel_while_cleaning_up_leaves_nothing_either(
    stalled: tuple[asyncio.Task[object], Path],
) -> None:
    task, into = stalled
    while not task.done():
        task.cancel()
        await asyncio.sleep(0)
    assert task.cancelled()
    assert programs() == []
    assert left_behind(into) == []


@pytest.mark.parametrize("door", ["hang", "stall"])
async def test_a_server_that_hangs_is_unreachable(
    git_server: GitServer,
    demo_repository: BareRepository,
    git_policy: GitPolicy,
    tmp_path: Path,
    door: str,
) -> None:
    request = GitRequest(url=git_server.url("demo.git", door), ref="main", token=git_server.token)
    impatient = replace(git_policy, connect_seconds=0.5, stall_seconds=1)
    failure = await failing_fetch(request, impatient, tmp_path / "tree")
    assert failure.code is FailureCode.GIT_UNREACHABLE
    whole = replace(git_policy, timeout=0.5)
    failure = await failing_fetch(request, whole, tmp_path / "tree")
    assert failure.code is FailureCode.GIT_UNREACHABLE
    assert programs() == []


async def test_no_message_and_no_log_shows_the_token(
    git_server: GitServer, demo_repository: BareRepository, git_policy: GitPolicy, tmp_path: Path
) -> None:
    for door in ("private", "barred", "public", "turncoat", "web"):
        request = GitRequest(url=git_server.url("x.git", door), ref="main", token="Very-Secret-1")
        failure = await failing_fetch(request, git_policy, tmp_path / "tree")
        assert "Very-Secret-1" not in f"{failure} {failure!r} {request!r}"
    log = Log()
    request = GitRequest(
        url=git_server.url("demo.git", "private"), ref="main", token=git_server.token
    )
    await fetch(request, git_policy, tmp_path / "tree", log)
    assert log.lines
    assert git_server.token not in log.text


async def test_what_a_server_echoes_is_masked() -> None:
    credentials = Credentials("oauth2", "s3cret-token")
    echoed = f"remote: bad token s3cret-token, header {credentials.header}"
    assert credentials.redact(echoed) == "remote: bad token ***, header Basic ***"
    assert "s3cret" not in repr(credentials)


async def test_a_redirect_to_another_server_does_not_get_the_token(
    git_server: GitServer, demo_repository: BareRepository, git_policy: GitPolicy, tmp_path: Path
) -> None:
    async def lookup(host: str, port: int) -> list[str]:
        return ["127.0.0.1"]

    port = git_server.base.rpartition(":")[2]
    since = len(git_server.requests())
    url = git_server.leading_to(f"http://other.test:{port}/public")
    request = GitRequest(url=url, ref="main", token=git_server.token)
    await fetch(request, replace(git_policy, lookup=lookup), tmp_path / "tree", Log())
    first, *others = git_server.requests()[since:]
    assert first["authorization"] == basic("oauth2", git_server.token)
    assert {request["authorization"] for request in others} == {None}


@pytest.mark.parametrize("token", ["line\nbreak", 'quote"\\', "sp ace", "ünï", "%00"])
async def test_a_token_cannot_break_out(
    git_server: GitServer,
    demo_repository: BareRepository,
    git_policy: GitPolicy,
    tmp_path: Path,
    token: str,
) -> None:
    request = GitRequest(url=git_server.url("demo.git", "private"), ref="main", token=token)
    failure = await failing_fetch(request, git_policy, tmp_path / "tree")
    assert failure.code is FailureCode.GIT_AUTH
    public = replace(request, url=git_server.url("demo.git"))
    if token.isprintable():
        await fetch(public, git_policy, tmp_path / "tree", Log())


async def test_a_log_that_fails_ends_the_fetch(
    git_server: GitServer, demo_repository: BareRepository, git_policy: GitPolicy, tmp_path: Path
) -> None:
    async def broken(line: str) -> None:
        if "objects" in line:
            raise OSError("the log is full")

    request = GitRequest(url=git_server.url("demo.git"), ref="main")
    with pytest.raises(OSError, match="the log is full"):
        await fetch(request, git_policy, tmp_path / "tree", broken)
    assert left_behind(tmp_path / "tree") == []
    assert programs() == []


@on_both_loops
def test_a_token_reaches_git_on_either_loop(
    git_server: GitServer,
    demo_repository: BareRepository,
    git_policy: GitPolicy,
    tmp_path: Path,
    loop: NewLoop,
) -> None:
    request = GitRequest(
        url=git_server.url("demo.git", "private"), ref="main", token=git_server.token
    )
    with asyncio.Runner(loop_factory=loop) as runner:
        runner.run(fetch(request, git_policy, tmp_path / "tree", Log()))
    assert (tmp_path / "tree" / "Dockerfile").exists()


@on_both_loops
def test_fetches_that_end_early_leave_no_descriptor_open(
    git_server: GitServer, git_policy: GitPolicy, tmp_path: Path, loop: NewLoop
) -> None:
    name = f"early-{loop.__module__}.git"
    many = {f"{number}-{'x' * 100}": "1" for number in range(5000)}
    git_server.create(name, {"main": many})
    request = GitRequest(url=git_server.url(name), ref="main")
    tight = replace(git_policy, max_files=10)
    with asyncio.Runner(loop_factory=loop) as runner:
        runner.run(failing_fetch(request, tight, tmp_path / "tree"))  # opens what stays open
        before = descriptors()
        for _ in range(3):
            runner.run(failing_fetch(request, tight, tmp_path / "tree"))
        assert descriptors() == before


def descriptors() -> list[str]:
    """What the open file descriptors of this process are, without their numbers."""
    found = []
    for place in Path("/proc/self/fd").iterdir():
        try:
            found.append(place.readlink().name.partition(":")[0])
        except FileNotFoundError:  # the one that lists the directory
            continue
    return sorted(found)
