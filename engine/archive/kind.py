"""What an uploaded file is, by its content: names and content types lie."""

import tarfile
from enum import StrEnum
from pathlib import Path

from engine.dockerfile.check import MAX_BYTES
from engine.errors import BuildFailed
from engine.sizes import format_bytes
from models.enums import FailureCode


class UploadKind(StrEnum):
    """The files that a build can start from."""

    TAR = "tar"
    TAR_GZ = "tar.gz"
    ZIP = "zip"
    DOCKERFILE = "dockerfile"


_ACCEPTED = "Upload a Dockerfile, or a tar, tar.gz or zip archive"

# Archives that people have and that are told apart from broken text, to say what to do.
_FOREIGN = {
    b"BZh": "bzip2",
    b"\xfd7zXZ\x00": "xz",
    b"\x28\xb5\x2f\xfd": "Zstandard",
    b"7z\xbc\xaf\x27\x1c": "7z",
    b"Rar!\x1a\x07": "RAR",
}


def identify(path: Path) -> UploadKind:
    """Tell what a file is; only its first bytes are read, or 512 KiB of a text.

    Raises BuildFailed (CONTEXT_INVALID) when it is none of the kinds.
    """
    with path.open("rb") as file:
        head = file.read(tarfile.BLOCKSIZE)
    if not head:
        raise _refused(f"The file is empty. {_ACCEPTED}.")
    if head.startswith(b"\x1f\x8b"):
        return UploadKind.TAR_GZ
    if head.startswith((b"PK\x03\x04", b"PK\x05\x06")):
        return UploadKind.ZIP
    for magic, format_name in _FOREIGN.items():
        if head.startswith(magic):
            raise _refused(f"The file is a {format_name} archive, which is not read. {_ACCEPTED}.")
    if _is_tar(head):
        return UploadKind.TAR
    _require_text(path)
    return UploadKind.DOCKERFILE


def _is_tar(head: bytes) -> bool:
    """POSIX and GNU tar say "ustar"; the older format is known by its header's checksum."""
    if len(head) < tarfile.BLOCKSIZE:
        return False
    if head[257:262] == b"ustar" or not any(head):
        return True
    try:
        tarfile.TarInfo.frombuf(head, "utf-8", "surrogateescape")
    except tarfile.HeaderError:
        return False
    return True


def _require_text(path: Path) -> None:
    size = path.stat().st_size
    if size > MAX_BYTES:
        raise _refused(
            f"The file is no archive, and with {format_bytes(size)} too large for a Dockerfile "
            f"(at most {format_bytes(MAX_BYTES)}). {_ACCEPTED}."
        )
    data = path.read_bytes()
    if data.startswith((b"\xff\xfe", b"\xfe\xff")):
        raise _refused("The Dockerfile is UTF-16 text. Save it as UTF-8.")
    try:
        text = data.decode("utf-8")
    except UnicodeDecodeError:
        raise _refused(f"The file is neither an archive nor UTF-8 text. {_ACCEPTED}.") from None
    if "\0" in text:
        raise _refused(f"The file is neither an archive nor text. {_ACCEPTED}.")


def _refused(message: str) -> BuildFailed:
    return BuildFailed(FailureCode.CONTEXT_INVALID, message)
