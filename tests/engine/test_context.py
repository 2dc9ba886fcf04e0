"""Freezing a context, keeping it, and reading it back."""

import hashlib
import io
import os
import socket
import subprocess
import sys
import tarfile
import textwrap
from collections.abc import AsyncIterator
from pathlib import Path

import pytest
import zstandard

from engine.blobs import Blobs
from engine.context import FrozenContext, freeze, stream_tar
from engine.errors import BuildFailed
from models.enums import FailureCode

MIB = 1024 * 1024


@pytest.fixture
def context(tmp_path: Path) -> Path:
    directory = tmp_path / "context"
    directory.mkdir()
    (directory / "Dockerfile").write_text("FROM scratch\nCOPY . /\n")
    return directory


def fill(directory: Path, *names: str) -> None:
    for name in names:
        path = directory / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(name)


def frozen_members(directory: Path, dockerfile: str = "Dockerfile") -> dict[str, tarfile.TarInfo]:
    out = directory.parent / "frozen"
    freeze(directory, dockerfile, out)
    with zstandard.open(out, "rb") as file, tarfile.open(fileobj=file, mode="r|") as archive:
        return {member.name: member for member in archive}


def test_the_digest_is_of_the_plain_tar(context: Path, tmp_path: Path) -> None:
    fill(context, "src/a.py", "文件")
    (context / "empty").mkdir()
    frozen = freeze(context, "Dockerfile", tmp_path / "out")
    with zstandard.open(tmp_path / "out", "rb") as file:
        plain = file.read()
    assert frozen.digest == f"sha256:{hashlib.sha256(plain).hexdigest()}"
    assert frozen.size == len(plain)
    assert frozen.files == 3
    assert frozen.key == f"contexts/sha256/{frozen.digest[7:]}.tar.zst"
    with tarfile.open(fileobj=io.BytesIO(plain)) as archive:
        names = archive.getnames()
    assert names == ["Dockerfile", "empty", "src", "src/a.py", "文件"]


def test_the_same_content_has_the_same_digest(context: Path, tmp_path: Path) -> None:
    fill(context, "b", "a/c", "a-b")
    (context / "l").symlink_to("b")
    first = freeze(context, "Dockerfile", tmp_path / "one")
    again = tmp_path / "again"
    again.mkdir()
    (again / "l").symlink_to("b")
    fill(again, "a-b", "a/c", "b")
    (again / "Dockerfile").write_text("FROM scratch\nCOPY . /\n")
    os.utime(again / "b", (1, 1))
    if os.geteuid() == 0:
        os.chown(again / "b", 1234, 1234)
    (again / "b").chmod(0o600)
    (again / "a").chmod(0o700)
    assert freeze(again, "Dockerfile", tmp_path / "two") == first


@pytest.mark.parametrize("change", ["content", "executable", "name", "link"])
def test_another_content_has_another_digest(context: Path, tmp_path: Path, change: str) -> None:
    fill(context, "a")
    (context / "l").symlink_to("a")
    first = freeze(context, "Dockerfile", tmp_path / "one")
    match change:
        case "content":
            (context / "a").write_text("b")
        case "executable":
            (context / "a").chmod(0o744)
        case "name":
            (context / "a").rename(context / "b")
        case "link":
            (context / "l").unlink()
            (context / "l").symlink_to("./a")
    assert freeze(context, "Dockerfile", tmp_path / "two").digest != first.digest


def test_what_a_member_says(context: Path) -> None:
    fill(context, "run.sh", "plain")
    (context / "run.sh").chmod(0o711)
    (context / "plain").chmod(0o4640)
    (context / "dir").mkdir(mode=0o700)
    (context / "l").symlink_to("run.sh")
    os.link(context / "plain", context / "second-name")
    members = frozen_members(context)
    assert {name: oct(member.mode) for name, member in members.items()} == {
        "Dockerfile": "0o644",
        "dir": "0o755",
        "l": "0o777",
        "plain": "0o644",
        "run.sh": "0o755",
        "second-name": "0o644",
    }
    assert members["l"].linkname == "run.sh"
    assert members["second-name"].isreg()
    assert {(m.uid, m.gid, m.uname, m.mtime) for m in members.values()} == {(0, 0, "", 315_619_200)}


def test_names_that_need_more_than_a_header(context: Path) -> None:
    long = "d" * 120 + "/" + "f" * 200
    fill(context, long)
    raw = os.fsencode(context) + b"/caf\xe9"
    with open(raw, "wb"):
        pass
    names = set(frozen_members(context))
    assert {long, "caf\udce9"} <= names


@pytest.mark.parametrize(
    ("ignore", "kept"),
    [
        ("", ["Dockerfile", "docs", "docs/a.md", "docs/b.md", "src", "src/x", "src/x/y.py"]),
        ("docs", ["Dockerfile", "src", "src/x", "src/x/y.py"]),
        ("docs\n!docs/b.md", ["Dockerfile", "docs", "docs/b.md", "src", "src/x", "src/x/y.py"]),
        ("*", ["Dockerfile"]),
        ("**", ["Dockerfile"]),
        ("*\n!**/*.py", ["Dockerfile", "src", "src/x", "src/x/y.py"]),
        ("*\n!src/x/y.py", ["Dockerfile", "src", "src/x", "src/x/y.py"]),
        ("Dockerfile\n.dockerignore\ndocs\nsrc", ["Dockerfile"]),
        ("**/*.md\nsrc", ["Dockerfile", "docs"]),
    ],
)
def test_dockerignore(context: Path, ignore: str, kept: list[str]) -> None:
    fill(context, "docs/a.md", "docs/b.md", "src/x/y.py")
    (context / ".dockerignore").write_text(ignore)
    assert list(frozen_members(context)) == [".dockerignore", *kept]


def test_a_dockerfile_below_an_ignored_directory_is_sent(context: Path) -> None:
    fill(context, "docker/gpu/Dockerfile", "docker/other")
    (context / "docker/gpu/Dockerfile.dockerignore").write_text("*")
    assert list(frozen_members(context, "docker/gpu/Dockerfile")) == [
        "docker",
        "docker/gpu",
        "docker/gpu/Dockerfile",
        "docker/gpu/Dockerfile.dockerignore",
    ]


def test_the_target_of_a_linked_dockerfile_is_sent(context: Path) -> None:
    fill(context, "docker/real")
    (context / "linked").symlink_to("docker/real")
    (context / ".dockerignore").write_text("*")
    assert {"linked", "docker/real"} <= set(frozen_members(context, "linked"))


@pytest.mark.parametrize("target", ["/etc/passwd", "../outside", "src/../../outside"])
def test_a_link_that_leaves_is_refused(context: Path, target: str) -> None:
    (context / "l").symlink_to(target)
    with pytest.raises(BuildFailed, match=r"'l' links to .* outside") as caught:
        frozen_members(context)
    assert caught.value.code is FailureCode.CONTEXT_INVALID
    (context / ".dockerignore").write_text("l")
    assert "l" not in frozen_members(context)


def test_pipes_and_sockets_are_refused(context: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    os.mkfifo(context / "pipe")
    with pytest.raises(BuildFailed, match="'pipe' is a device"):
        frozen_members(context)
    (context / "pipe").unlink()
    monkeypatch.chdir(context)
    with socket.socket(socket.AF_UNIX) as listener:
        listener.bind("socket")
        with pytest.raises(BuildFailed, match="'socket' is a device"):
            frozen_members(context)


def test_too_large(context: Path, tmp_path: Path) -> None:
    fill(context, "small")
    for name in ("data/one", "data/two", "model"):
        path = context / name
        path.parent.mkdir(exist_ok=True)
        with path.open("wb") as file:
            file.truncate(3 * MIB)
    with pytest.raises(BuildFailed) as caught:
        freeze(context, "Dockerfile", tmp_path / "out", max_bytes=8 * MIB)
    assert caught.value.code is FailureCode.CONTEXT_TOO_LARGE
    assert "9.0 MiB; at most 8.0 MiB" in caught.value.message
    assert "data (6.0 MiB), model (3.0 MiB)" in caught.value.message
    assert ".dockerignore" in caught.value.message
    (context / ".dockerignore").write_text("model")
    freeze(context, "Dockerfile", tmp_path / "out", max_bytes=8 * MIB)


def test_no_dockerfile(context: Path, tmp_path: Path) -> None:
    with pytest.raises(BuildFailed) as caught:
        freeze(context, "docker/Dockerfile", tmp_path / "out")
    assert caught.value.code is FailureCode.DOCKERFILE_NOT_FOUND


async def in_pieces(data: bytes, size: int) -> AsyncIterator[bytes]:
    for at in range(0, len(data), size):
        yield data[at : at + size]


async def test_kept_once_and_read_back(context: Path, tmp_path: Path) -> None:
    (context / "random").write_bytes(os.urandom(3 * MIB))
    (context / "zeros").write_bytes(bytes(5 * MIB))
    out = tmp_path / "out"
    frozen = freeze(context, "Dockerfile", out)
    blobs = Blobs.open("memory:")
    await blobs.keep_file(frozen.key, out)
    out.unlink()
    # Were it stored again, the missing file would be noticed.
    await blobs.keep_file(frozen.key, out)
    chunks = [chunk async for chunk in stream_tar(blobs.stream(frozen.key))]
    assert max(map(len, chunks)) <= MIB
    plain = b"".join(chunks)
    assert len(plain) == frozen.size
    assert f"sha256:{hashlib.sha256(plain).hexdigest()}" == frozen.digest


@pytest.mark.parametrize("size", [1, 1000, 10 * MIB])
async def test_any_pieces_are_read(context: Path, tmp_path: Path, size: int) -> None:
    frozen: FrozenContext = freeze(context, "Dockerfile", tmp_path / "out")
    pieces = in_pieces((tmp_path / "out").read_bytes(), size)
    assert sum([len(chunk) async for chunk in stream_tar(pieces)]) == frozen.size


@pytest.mark.parametrize("damage", ["cut", "empty", "garbage", "more"])
async def test_a_damaged_context_is_noticed(context: Path, tmp_path: Path, damage: str) -> None:
    fill(context, *map(str, range(100)))
    freeze(context, "Dockerfile", tmp_path / "out")
    data = (tmp_path / "out").read_bytes()
    damaged = {"cut": data[:-9], "empty": b"", "garbage": b"?" * 500, "more": data + data}[damage]
    with pytest.raises(BuildFailed, match="cannot be read back") as caught:
        async for _ in stream_tar(in_pieces(damaged, MIB)):
            pass
    assert caught.value.code is FailureCode.INTERNAL


# A child process, because tests that ran before leave their memory behind.
MEASURE = """
import asyncio, resource, sys
from pathlib import Path
from engine.archive import UnpackLimits, unpack
from engine.context import freeze, stream_tar
from engine.blobs import Blobs

def peak():
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss // 1024

async def read_back(out, size):
    blobs = Blobs.open((out.parent / "blobs").as_uri())
    await blobs.put_file("context", out)
    assert sum([len(chunk) async for chunk in stream_tar(blobs.stream("context"))]) == size

upload, into, out = map(Path, sys.argv[1:])
into.mkdir()
before = peak()
unpack(upload, into, UnpackLimits(max_bytes=1 << 30, max_entries=10))
(into / "Dockerfile").write_text("FROM scratch")
frozen = freeze(into, "Dockerfile", out)
asyncio.run(read_back(out, frozen.size))
print(frozen.size, peak() - before)
"""


def test_memory_does_not_grow_with_the_context(tmp_path: Path) -> None:
    upload = tmp_path / "upload"
    large = 300 * MIB
    with tarfile.open(upload, "w:gz", compresslevel=1) as archive, open("/dev/zero", "rb") as zeros:
        info = tarfile.TarInfo("model.bin")
        info.size = large
        archive.addfile(info, zeros)
    measured = subprocess.run(
        [sys.executable, "-c", textwrap.dedent(MEASURE), upload, tmp_path / "into", tmp_path / "o"],
        cwd=Path(__file__).parents[2],
        check=True,
        capture_output=True,
        text=True,
    )
    size, grown = map(int, measured.stdout.split())
    assert size > large
    assert grown < 100, f"{grown} MiB more memory for a context of 300 MiB"
