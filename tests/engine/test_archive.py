"""Uploads, honest and hostile."""

import contextlib
import gzip
import io
import os
import stat
import struct
import tarfile
import zipfile
from collections.abc import Callable
from pathlib import Path

import pytest

from engine.archive import UnpackLimits, UploadKind, context_root, identify, unpack
from engine.errors import BuildFailed
from models.enums import FailureCode

MIB = 1024 * 1024
LIMITS = UnpackLimits(max_bytes=10 * MIB, max_entries=100)

Member = tuple[tarfile.TarInfo, bytes]


def member(name: str, content: bytes = b"", **fields: object) -> Member:
    info = tarfile.TarInfo(name)
    info.size = len(content)
    info.mode = 0o644
    for field, value in fields.items():
        setattr(info, field, value)
    return info, content


def directory(name: str, mode: int = 0o755) -> Member:
    return member(name, type=tarfile.DIRTYPE, mode=mode)


def link(name: str, target: str) -> Member:
    return member(name, type=tarfile.SYMTYPE, linkname=target)


def hard_link(name: str, target: str) -> Member:
    return member(name, type=tarfile.LNKTYPE, linkname=target)


def tar_bytes(*members: Member, form: int = tarfile.PAX_FORMAT) -> bytes:
    buffer = io.BytesIO()
    with tarfile.open(fileobj=buffer, mode="w", format=form) as archive:
        for info, content in members:
            archive.addfile(info, io.BytesIO(content))
    return buffer.getvalue()


def zip_bytes(*entries: tuple[str | zipfile.ZipInfo, bytes]) -> bytes:
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w", zipfile.ZIP_DEFLATED) as archive:
        for name, content in entries:
            archive.writestr(name, content)
    return buffer.getvalue()


def zip_entry(name: str, mode: int, system: int = 3) -> zipfile.ZipInfo:
    info = zipfile.ZipInfo(name)
    info.create_system = system
    info.external_attr = mode << 16
    return info


def unpacked(tmp_path: Path, data: bytes, limits: UnpackLimits = LIMITS) -> Path:
    upload, into = tmp_path / "upload", tmp_path / "into"
    upload.write_bytes(data)
    into.mkdir()
    unpack(upload, into, limits)
    return into


def refusal(tmp_path: Path, data: bytes, limits: UnpackLimits = LIMITS) -> BuildFailed:
    with pytest.raises(BuildFailed) as caught:
        unpacked(tmp_path, data, limits)
    assert not (tmp_path / "escaped").exists()
    return caught.value


# What an upload is


@pytest.mark.parametrize(
    ("data", "kind"),
    [
        (tar_bytes(member("a")), UploadKind.TAR),
        (tar_bytes(member("a"), form=tarfile.GNU_FORMAT), UploadKind.TAR),
        (tar_bytes(), UploadKind.TAR),
        (gzip.compress(b"anything"), UploadKind.TAR_GZ),
        (zip_bytes(("a", b"")), UploadKind.ZIP),
        (zip_bytes(), UploadKind.ZIP),
        (b"FROM scratch\n", UploadKind.DOCKERFILE),
        ("\ufeff# 镜像\r\nFROM scratch".encode(), UploadKind.DOCKERFILE),
        (b"FROM scratch\n" + b"#" * 1000, UploadKind.DOCKERFILE),
    ],
)
def test_identify(tmp_path: Path, data: bytes, kind: UploadKind) -> None:
    path = tmp_path / "archive.rar"
    path.write_bytes(data)
    assert identify(path) is kind


def test_identify_a_tar_older_than_posix(tmp_path: Path) -> None:
    info, _ = member("a")
    header = bytearray(info.tobuf(tarfile.USTAR_FORMAT))
    header[257:265] = bytes(8)
    header[148:156] = b"        "
    header[148:156] = b"%06o\0 " % sum(header)
    path = tmp_path / "v7"
    path.write_bytes(bytes(header) + bytes(1024))
    assert identify(path) is UploadKind.TAR


@pytest.mark.parametrize(
    ("data", "message"),
    [
        (b"", "empty"),
        (b"BZh91AY&SY", "bzip2"),
        (b"\xfd7zXZ\x00....", "xz"),
        (b"7z\xbc\xaf\x27\x1c", "7z"),
        ("FROM scratch".encode("utf-16"), "UTF-16"),
        (b"\x7fELF\x02\x01\x01\xff\xfe", "neither an archive nor UTF-8 text"),
        (b"FROM\0scratch", "neither an archive nor text"),
        (b"#" * (512 * 1024 + 1), "too large for a Dockerfile"),
    ],
)
def test_identify_refuses(tmp_path: Path, data: bytes, message: str) -> None:
    path = tmp_path / "Dockerfile"
    path.write_bytes(data)
    with pytest.raises(BuildFailed, match=message) as caught:
        identify(path)
    assert caught.value.code is FailureCode.CONTEXT_INVALID


# Honest archives

TREE = [
    directory("./"),
    member("./Dockerfile", b"FROM scratch\nCOPY . /\n"),
    directory("./src", mode=0o555),
    member("./src/run.sh", b"#!/bin/sh\n", mode=0o6755),
    member("./deep/er/文件.txt", "内容".encode()),
    link("./src/latest", "../deep/er/文件.txt"),
    hard_link("./copy", "./src/run.sh"),
    member("n" * 150 + "/" + "m" * 200, b"long"),
]


@pytest.mark.parametrize("form", [tarfile.PAX_FORMAT, tarfile.GNU_FORMAT])
@pytest.mark.parametrize("pack", [bytes, gzip.compress])
def test_a_tar_is_unpacked(tmp_path: Path, form: int, pack: Callable[[bytes], bytes]) -> None:
    into = unpacked(tmp_path, pack(tar_bytes(*TREE, form=form)))
    assert (into / "Dockerfile").read_bytes() == b"FROM scratch\nCOPY . /\n"
    assert stat.S_IMODE((into / "Dockerfile").stat().st_mode) == 0o644
    assert stat.S_IMODE((into / "src/run.sh").stat().st_mode) == 0o755
    assert stat.S_IMODE((into / "src").stat().st_mode) == 0o755
    assert os.readlink(into / "src/latest") == "../deep/er/文件.txt"
    assert (into / "src/latest").read_text(encoding="utf-8") == "内容"
    assert (into / "copy").read_bytes() == b"#!/bin/sh\n"
    assert (into / ("n" * 150) / ("m" * 200)).read_bytes() == b"long"


def test_a_zip_is_unpacked(tmp_path: Path) -> None:
    into = unpacked(
        tmp_path,
        zip_bytes(
            ("Dockerfile", b"FROM scratch\n"),
            ("文件/", b""),
            (zip_entry("文件/run.sh", stat.S_IFREG | 0o4755), b"#!/bin/sh\n"),
            (zip_entry("latest", stat.S_IFLNK | 0o777), "文件/run.sh".encode()),
            (zip_entry("win\\dows.txt", 0, system=0), b"x"),
        ),
    )
    assert stat.S_IMODE((into / "文件/run.sh").stat().st_mode) == 0o755
    assert os.readlink(into / "latest") == "文件/run.sh"
    assert (into / "win/dows.txt").read_bytes() == b"x"
    assert stat.S_IMODE((into / "win/dows.txt").stat().st_mode) == 0o644


def rename_in_zip(data: bytes, old: bytes, new: bytes) -> bytes:
    assert data.count(old) == 2
    return data.replace(old, new)


def test_a_zip_with_unmarked_utf8_names(tmp_path: Path) -> None:
    data = rename_in_zip(zip_bytes(("name_of_6", b"x")), b"name_of_6", "文件名".encode())
    assert (unpacked(tmp_path, data) / "文件名").read_bytes() == b"x"


def test_a_zip_with_names_in_another_encoding(tmp_path: Path) -> None:
    data = rename_in_zip(zip_bytes(("name_6", b"x")), b"name_6", "文件名".encode("gbk"))
    assert "not UTF-8" in refusal(tmp_path, data).message


def test_a_dockerfile_is_a_context(tmp_path: Path) -> None:
    assert (unpacked(tmp_path, b"FROM scratch\n") / "Dockerfile").read_bytes() == b"FROM scratch\n"


def test_a_later_file_replaces_an_earlier_one(tmp_path: Path) -> None:
    members = [member("a", b"old"), hard_link("b", "a"), member("a", b"new")]
    into = unpacked(tmp_path, tar_bytes(*members))
    assert (into / "a").read_bytes() == b"new"
    assert (into / "b").read_bytes() == b"old"


def test_a_hard_link_to_a_symbolic_link_is_one(tmp_path: Path) -> None:
    into = unpacked(tmp_path, tar_bytes(member("a"), link("l", "a"), hard_link("h", "l")))
    assert os.readlink(into / "h") == "a"


@pytest.mark.parametrize(
    "target", ["a", "./a", "d/../a", "d/up/a", "missing", "loop", "d/../d/up/d/up/a"]
)
def test_links_that_stay_inside_are_kept(tmp_path: Path, target: str) -> None:
    members = [member("a"), directory("d"), link("d/up", ".."), link("loop", target)]
    assert os.readlink(unpacked(tmp_path, tar_bytes(*members)) / "loop") == target


# Hostile archives

HOSTILE_TARS = {
    "absolute": ([member("/escaped", b"x")], "'/escaped'", "absolute"),
    "parent": ([member("../escaped", b"x")], "'../escaped'", "'..'"),
    "inner parent": ([member("a/../../escaped", b"x")], "'a/../../escaped'", "'..'"),
    "link out": ([link("l", "../escaped")], "'l'", "outside"),
    "link to root": ([link("l", "/etc/passwd")], "'l'", "outside"),
    "deep link out": ([link("a/b/l", "../../../escaped")], "'a/b/l'", "outside"),
    "link by link": (
        [directory("a/b"), link("a/b/up", "../.."), link("l", "a/b/up/../escaped")],
        "'l'",
        "outside",
    ),
    "through a link": ([link("l", "."), member("l/escaped", b"x")], "'l/escaped'", "below 'l'"),
    "through a link out": ([link("l", ".."), member("l/escaped", b"x")], "'l/escaped'", "below"),
    "link over directory": ([member("d/f"), link("d", "..")], "'d'", "twice"),
    "file over link": ([link("l", ".."), member("l", b"x")], "'l'", "twice"),
    "directory over link": ([link("l", ".."), directory("l")], "'l'", "twice"),
    "file over directory": ([directory("d"), member("d", b"x")], "'d'", "twice"),
    "below a file": ([member("f"), member("f/g")], "'f/g'", "below 'f'"),
    "hard link out": ([hard_link("h", "../escaped")], "'h'", "'..'"),
    "hard link to root": ([hard_link("h", "/etc/passwd")], "'h'", "absolute"),
    "hard link to nothing": ([hard_link("h", "no")], "'h'", "no earlier file"),
    "hard link by link": ([link("l", "/etc"), hard_link("h", "l/passwd")], "'h'", "no earlier"),
    "hard link to link out": ([link("l", "/etc"), hard_link("h", "l")], "'l'", "outside"),
    "pipe": ([member("p", type=tarfile.FIFOTYPE)], "'p'", "device"),
    "device": ([member("c", type=tarfile.CHRTYPE, devmajor=1)], "'c'", "device"),
    "block device": ([member("b", type=tarfile.BLKTYPE)], "'b'", "device"),
    "unknown kind": ([member("v", type=b"V")], "'v'", "not allowed"),
    "root as a file": ([member(".", b"x")], "'.'", "root"),
    "root as a link": ([link("./", "..")], "root", "root"),
    "not UTF-8": ([member("caf\udce9")], "caf", "not UTF-8"),
    "zero byte": ([member("a", pax_headers={"path": "a\0b"})], "zero byte", "name"),
    "too long": ([member("n" * 300)], "nnn", "too long"),
    "too deep": ([member("d/" * 60 + "n" * 4000)], "d/d/", "too long"),
    "empty": ([], "archive is empty", "empty"),
    "only the root": ([directory("./")], "archive is empty", "empty"),
}


@pytest.mark.parametrize("case", HOSTILE_TARS)
def test_a_hostile_tar_is_refused(tmp_path: Path, case: str) -> None:
    members, named, reason = HOSTILE_TARS[case]
    error = refusal(tmp_path, tar_bytes(*members))
    assert error.code is FailureCode.CONTEXT_INVALID
    assert named in error.message
    assert reason in error.message


def encrypted_zip() -> bytes:
    data = bytearray(zip_bytes(("secret", b"x")))
    data[6] |= 1
    data[data.index(b"PK\x01\x02") + 8] |= 1
    return bytes(data)


def lzma_zip() -> bytes:
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w", zipfile.ZIP_LZMA) as archive:
        archive.writestr("packed", b"x")
    return buffer.getvalue()


HOSTILE_ZIPS = {
    "absolute": (zip_bytes(("/escaped", b"x")), "'/escaped'", "absolute"),
    "parent": (zip_bytes(("../escaped", b"x")), "'../escaped'", "'..'"),
    "backslashes": (zip_bytes((zip_entry("..\\escaped", 0, 0), b"x")), "'../escaped'", "'..'"),
    "link out": (zip_bytes((zip_entry("l", stat.S_IFLNK), b"../escaped")), "'l'", "outside"),
    "through a link": (
        zip_bytes((zip_entry("l", stat.S_IFLNK), b".."), ("l/escaped", b"x")),
        "'l/escaped'",
        "below 'l'",
    ),
    "empty link": (zip_bytes((zip_entry("l", stat.S_IFLNK), b"")), "'l'", "usable target"),
    "endless link": (
        zip_bytes((zip_entry("l", stat.S_IFLNK), b"x" * 5000)),
        "'l'",
        "usable target",
    ),
    "device": (zip_bytes((zip_entry("c", stat.S_IFCHR), b"")), "'c'", "device"),
    "zero byte": (
        rename_in_zip(zip_bytes(("name_6", b"")), b"name_6", b"na\0e_6"),
        "'na\\x00e_6'",
        "zero byte",
    ),
    "encrypted": (encrypted_zip(), "'secret'", "without a password"),
    "other method": (lzma_zip(), "'packed'", "deflate"),
    "empty": (zip_bytes(), "archive is empty", ""),
}


@pytest.mark.parametrize("case", HOSTILE_ZIPS)
def test_a_hostile_zip_is_refused(tmp_path: Path, case: str) -> None:
    data, named, reason = HOSTILE_ZIPS[case]
    error = refusal(tmp_path, data)
    assert error.code is FailureCode.CONTEXT_INVALID
    assert named in error.message
    assert reason in error.message


# Limits

BOMB = bytes(11 * MIB)


@pytest.mark.parametrize(
    "data",
    [
        tar_bytes(member("bomb", BOMB)),
        gzip.compress(tar_bytes(member("bomb", BOMB))),
        zip_bytes(("bomb", BOMB)),
        tar_bytes(*(member(f"{n}", bytes(MIB)) for n in range(11))),
        tar_bytes(*(member("again", bytes(MIB)) for _ in range(11))),
        tar_bytes(member("one", bytes(MIB)), *(hard_link(f"{n}", "one") for n in range(10))),
    ],
    ids=["tar", "tar.gz", "zip", "many files", "one file again", "hard links"],
)
def test_more_bytes_than_allowed(tmp_path: Path, data: bytes) -> None:
    error = refusal(tmp_path, data)
    assert error.code is FailureCode.CONTEXT_TOO_LARGE
    assert "10.0 MiB" in error.message
    written = sum(path.stat().st_blocks * 512 for path in (tmp_path / "into").rglob("*"))
    assert written <= 11 * MIB


def test_exactly_the_limit_is_allowed(tmp_path: Path) -> None:
    unpacked(tmp_path, zip_bytes(("full", bytes(10 * MIB))))


def lying_zip() -> bytes:
    """A zip that declares one byte for its 11 MiB."""
    data = bytearray(zip_bytes(("bomb", BOMB)))
    data[22:26] = struct.pack("<I", 1)
    at = data.index(b"PK\x01\x02")
    data[at + 24 : at + 28] = struct.pack("<I", 1)
    return bytes(data)


def test_a_zip_that_lies_about_its_size(tmp_path: Path) -> None:
    refusal(tmp_path, lying_zip())
    assert (tmp_path / "into" / "bomb").stat().st_size <= 1


@pytest.mark.parametrize(
    "data",
    [
        tar_bytes(*(member(f"{n}") for n in range(101))),
        tar_bytes(member("d/" * 100 + "f")),
        zip_bytes(*((f"{n}", b"") for n in range(101))),
    ],
    ids=["tar", "implied directories", "zip"],
)
def test_more_entries_than_allowed(tmp_path: Path, data: bytes) -> None:
    error = refusal(tmp_path, data)
    assert error.code is FailureCode.CONTEXT_TOO_LARGE
    assert "100 files" in error.message


def test_a_zip64_is_counted_too(tmp_path: Path) -> None:
    data = zip_bytes(*((f"{n}", b"") for n in range(70_000)))
    refusal(tmp_path, data, UnpackLimits(max_bytes=MIB, max_entries=69_999))
    assert list((tmp_path / "into").iterdir()) == []


def header_bomb(kind: bytes) -> bytes:
    """A name of 64 MiB, which tarfile would read into memory, in 64 KiB."""
    info, _ = member("././@LongLink", type=kind)
    info.size = 64 * MIB
    return gzip.compress(info.tobuf(tarfile.GNU_FORMAT) + bytes(64 * MIB), compresslevel=1)


@pytest.mark.parametrize("kind", [tarfile.GNUTYPE_LONGNAME, tarfile.XHDTYPE, tarfile.XGLTYPE])
def test_a_header_bomb_is_refused(tmp_path: Path, kind: bytes) -> None:
    assert "header is larger" in refusal(tmp_path, header_bomb(kind)).message


# Damage

WHOLE_TAR = tar_bytes(member("a", b"x" * 3000), member("b", b"y" * 3000))
WHOLE_GZ = gzip.compress(WHOLE_TAR)
WHOLE_ZIP = zip_bytes(("a", os.urandom(3000)), ("b", os.urandom(3000)))


def flipped(data: bytes, at: int) -> bytes:
    return data[:at] + bytes([data[at] ^ 0xFF]) + data[at + 1 :]


@pytest.mark.parametrize(
    "data",
    [
        WHOLE_TAR[:2000],
        WHOLE_TAR[: 512 + 3072],
        WHOLE_TAR[: 512 + 3072 + 100],
        flipped(WHOLE_TAR, 512 + 3072 + 5),
        WHOLE_GZ[:-4],
        WHOLE_GZ[: len(WHOLE_GZ) // 2],
        flipped(WHOLE_GZ, len(WHOLE_GZ) - 6),
        flipped(WHOLE_GZ, len(WHOLE_GZ) // 2),
        gzip.compress(b"no tar" * 200),
        gzip.compress(b""),
        WHOLE_ZIP[:-30],
        WHOLE_ZIP[:2000],
        flipped(WHOLE_ZIP, 1000),
        flipped(WHOLE_ZIP, WHOLE_ZIP.index(b"PK\x01\x02") + 1),
        b"PK\x03\x04",
    ],
)
def test_damage_is_noticed(tmp_path: Path, data: bytes) -> None:
    error = refusal(tmp_path, data)
    assert error.code is FailureCode.CONTEXT_INVALID
    assert "truncated or damaged" in error.message or "cannot be read" in error.message


def test_no_flipped_byte_raises_anything_else(tmp_path: Path) -> None:
    archives = [tar_bytes(*TREE), gzip.compress(tar_bytes(*TREE)), WHOLE_ZIP]
    for number, archive in enumerate(archives):
        for at in range(0, len(archive), 1 + len(archive) // 300):
            case = tmp_path / f"{number}-{at}"
            case.mkdir()
            # Many a byte does no harm, such as one of a time.
            with contextlib.suppress(BuildFailed):
                unpacked(case, flipped(archive, at))


# Which directory is the context


def make(root: Path, *names: str) -> Path:
    for name in names:
        path = root / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.touch()
    return root


@pytest.mark.parametrize(
    ("names", "dockerfile", "expected"),
    [
        (["Dockerfile", "src/a"], "Dockerfile", "."),
        (["repo-1a2b/Dockerfile", "repo-1a2b/a"], "Dockerfile", "repo-1a2b"),
        (["repo/docker/Dockerfile"], "docker/Dockerfile", "repo"),
        (["docker/Dockerfile"], "docker/Dockerfile", "."),
        (["repo/Dockerfile", "README"], "Dockerfile", "."),
        (["repo/Dockerfile", "__MACOSX/repo/._a", ".DS_Store"], "Dockerfile", "repo"),
        (["repo/nested/Dockerfile"], "Dockerfile", "repo"),
        (["README"], "Dockerfile", "."),
    ],
)
def test_context_root(tmp_path: Path, names: list[str], dockerfile: str, expected: str) -> None:
    make(tmp_path, *names)
    assert context_root(tmp_path, dockerfile) == tmp_path / expected
