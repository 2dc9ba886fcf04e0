"""Submodules, large files and ssh: what an operator may allow beyond one repository."""

import hashlib
from dataclasses import replace
from pathlib import Path

import pytest

from engine.git.client import GitPolicy, GitRequest, fetch
from models.enums import FailureCode
from tests.fixtures.git import BareRepository, Gitlink, GitServer, Log, failing_fetch
from tests.servers.git_http import basic


def modules(**urls: str) -> str:
    return "".join(
        f'[submodule "{path}"]\n\tpath = {path}\n\turl = {url}\n' for path, url in urls.items()
    )


def with_modules(
    server: GitServer, name: str, demo: BareRepository, sha: str = "", **urls: str
) -> None:
    links = {path: Gitlink(sha or demo.sha("main")) for path in urls}
    server.create(name, {"main": {".gitmodules": modules(**urls), "own.txt": "own\n", **links}})


async def test_submodules_by_relative_and_full_address_and_within_each_other(
    git_server: GitServer, demo_repository: BareRepository, git_policy: GitPolicy, tmp_path: Path
) -> None:
    git_server.create(
        "middle.git",
        {
            "main": {
                ".gitmodules": modules(demo="../demo.git"),
                "demo": Gitlink(demo_repository.sha("main~1")),
            }
        },
    )
    middle = BareRepository(git_server.root / "middle.git")
    links = {"near": Gitlink(middle.sha("main")), "far": Gitlink(demo_repository.sha("main"))}
    urls = modules(near="../middle.git", far=git_server.url("demo.git"))
    git_server.create("outer.git", {"main": {".gitmodules": urls, **links}})
    request = GitRequest(
        url=git_server.url("outer.git", "private"), ref="main", token=git_server.token
    )
    since = len(git_server.requests())
    found = await fetch(request, replace(git_policy, submodules=True), tmp_path / "tree", Log())
    tree = tmp_path / "tree"
    assert (tree / "near/demo/Dockerfile").read_text().endswith("# first\n")
    assert (tree / "far/demo1/app.py").exists()
    assert not list(tree.rglob(".git"))
    assert found.files > 9
    asked = git_server.requests()[since:]
    assert any(str(r["path"]).startswith("/private/middle.git") for r in asked)
    assert {r["authorization"] for r in asked} == {basic("oauth2", git_server.token)}  # fmt: skip


async def test_a_submodule_elsewhere_does_not_get_the_token(
    git_server: GitServer, demo_repository: BareRepository, git_policy: GitPolicy, tmp_path: Path
) -> None:
    async def lookup(host: str, port: int) -> list[str]:
        return ["127.0.0.1"]

    other = git_server.url("demo.git").replace("127.0.0.1", "other.test")
    with_modules(git_server, "elsewhere.git", demo_repository, part=other)
    policy = replace(git_policy, submodules=True, lookup=lookup)
    request = GitRequest(
        url=git_server.url("elsewhere.git", "private"), ref="main", token=git_server.token
    )
    since = len(git_server.requests())
    await fetch(request, policy, tmp_path / "tree", Log())
    asked = git_server.requests()[since:]
    inner = [r for r in asked if str(r["path"]).startswith("/public/")]
    assert {r["authorization"] for r in inner} == {None}


@pytest.mark.parametrize(
    ("url", "code"),
    [
        ("http://169.254.169.254/latest.git", FailureCode.GIT_NOT_FOUND),
        ("-uevil", FailureCode.CONTEXT_INVALID),  # git itself refuses it on arrival
        ("/etc", FailureCode.GIT_NOT_FOUND),
        ("git@host.example:g/p.git", FailureCode.GIT_NOT_FOUND),
        ("ext::sh", FailureCode.GIT_NOT_FOUND),
        ("../missing.git", FailureCode.GIT_NOT_FOUND),
    ],
)
async def test_a_submodule_s_address_passes_the_same_guard(
    git_server: GitServer,
    demo_repository: BareRepository,
    git_policy: GitPolicy,
    tmp_path: Path,
    url: str,
    code: FailureCode,
) -> None:
    with_modules(git_server, "guarded.git", demo_repository, part=url)
    request = GitRequest(url=git_server.url("guarded.git"), ref="main")
    failure = await failing_fetch(request, replace(git_policy, submodules=True), tmp_path / "tree")
    assert failure.code is code
    assert "submodule" in failure.message


async def test_submodules_share_the_limits(
    git_server: GitServer, demo_repository: BareRepository, git_policy: GitPolicy, tmp_path: Path
) -> None:
    with_modules(git_server, "sharing.git", demo_repository, a="../demo.git", b="../demo.git")
    request = GitRequest(url=git_server.url("sharing.git"), ref="main")
    tight = replace(git_policy, submodules=True, max_files=20)
    failure = await failing_fetch(request, tight, tmp_path / "tree")
    assert failure.code is FailureCode.CONTEXT_TOO_LARGE


async def test_a_submodule_without_an_address_stays_empty(
    git_server: GitServer, demo_repository: BareRepository, git_policy: GitPolicy, tmp_path: Path
) -> None:
    git_server.create("nowhere.git", {"main": {"part": Gitlink("1" * 40)}})
    log = Log()
    request = GitRequest(url=git_server.url("nowhere.git"), ref="main")
    await fetch(request, replace(git_policy, submodules=True), tmp_path / "tree", log)
    assert "no address" in log.text
    assert list((tmp_path / "tree" / "part").iterdir()) == []


def store(server: GitServer, content: bytes, announced: str | None = None) -> str:
    """Put an object into the server's LFS; returns its pointer."""
    oid = announced or hashlib.sha256(content).hexdigest()
    (server.root / "lfs" / oid).write_bytes(content)
    return f"version https://git-lfs.github.com/spec/v1\noid sha256:{oid}\nsize {len(content)}\n"


async def fetch_large(server: GitServer, policy: GitPolicy, into: Path, name: str) -> None:
    request = GitRequest(url=server.url(name), ref="main")
    await fetch(request, replace(policy, lfs=True), into, Log())


async def test_large_files_take_their_pointers_places(
    git_server: GitServer, git_policy: GitPolicy, tmp_path: Path
) -> None:
    content = bytes(range(256)) * 20_000
    pointer = store(git_server, content)
    files = {
        ".gitattributes": "*.bin filter=lfs diff=lfs merge=lfs -text\n",
        "model.bin": pointer, "deep/copy.bin": pointer, "untracked.txt": pointer,
        "plain.bin": "never a pointer\n",
    }  # fmt: skip
    git_server.create("models.git", {"main": files})
    await fetch_large(git_server, git_policy, tmp_path / "tree", "models.git")
    assert (tmp_path / "tree/model.bin").read_bytes() == content
    assert (tmp_path / "tree/deep/copy.bin").read_bytes() == content
    assert (tmp_path / "tree/untracked.txt").read_text() == pointer
    assert sorted(p.name for p in (tmp_path / "tree").iterdir()) == [
        ".gitattributes", "deep", "model.bin", "plain.bin", "untracked.txt",
    ]  # fmt: skip


@pytest.mark.parametrize(
    ("name", "pointer", "code"),
    [
        ("lost-lfs.git", "0" * 64, FailureCode.GIT_NOT_FOUND),
        ("false-lfs.git", "1" * 64, FailureCode.GIT_UNREACHABLE),
        ("evil-lfs.git", "2" * 64, FailureCode.GIT_NOT_FOUND),
    ],
)
async def test_large_files_that_are_lost_false_or_lead_astray(
    git_server: GitServer,
    git_policy: GitPolicy,
    tmp_path: Path,
    name: str,
    pointer: str,
    code: FailureCode,
) -> None:
    text = store(git_server, b"something else", announced=pointer)
    if name.startswith("lost"):
        (git_server.root / "lfs" / pointer).unlink()
    git_server.create(name, {"main": {".gitattributes": "*.bin filter=lfs\n", "a.bin": text}})
    request = GitRequest(url=git_server.url(name), ref="main")
    failure = await failing_fetch(request, replace(git_policy, lfs=True), tmp_path / "tree")
    assert failure.code is code
    assert ("metadata" in failure.message) == name.startswith("evil")


async def test_large_files_count_towards_the_limit(
    git_server: GitServer, git_policy: GitPolicy, tmp_path: Path
) -> None:
    pointer = store(git_server, b"x" * 100_000)
    git_server.create("heavy.git", {"main": {".gitattributes": "* filter=lfs\n", "a": pointer}})
    request = GitRequest(url=git_server.url("heavy.git"), ref="main")
    tight = replace(git_policy, lfs=True, max_bytes=50_000)
    failure = await failing_fetch(request, tight, tmp_path / "tree")
    assert failure.code is FailureCode.CONTEXT_TOO_LARGE


async def test_ssh_connects_to_the_checked_address_under_the_host_s_name(
    git_server: GitServer,
    demo_repository: BareRepository,
    git_policy: GitPolicy,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """A program in ssh's place runs what the far side would, and notes how it was called."""

    async def lookup(host: str, port: int) -> list[str]:
        return ["10.1.2.3"]

    ssh = tmp_path / "bin" / "ssh"
    ssh.parent.mkdir()
    script = 'echo "$@" >>"$0.calls"\nfor last; do :; done\neval "$last"\n'
    ssh.write_text(f"#!/bin/sh\n{script}")
    ssh.chmod(0o755)
    monkeypatch.setenv("PATH", str(ssh.parent), prepend=":")
    path = git_server.root / "demo.git"
    request = GitRequest(url=f"ssh://git@host.example{path}", ref="main")
    policy = replace(git_policy, allow_ssh=True, lookup=lookup)
    await fetch(request, policy, tmp_path / "tree", Log())
    assert (tmp_path / "tree" / "Dockerfile").exists()
    calls = (ssh.parent / "ssh.calls").read_text()
    assert "HostName=10.1.2.3" in calls
    assert "HostKeyAlias=host.example" in calls
    assert "StrictHostKeyChecking=yes" in calls
