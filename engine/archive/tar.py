"""Unpacking tar (POSIX.1-2001, GNU and the older format), plain or gzipped, in one pass."""

import gzip
import sys
import tarfile
import zlib
from pathlib import Path
from typing import IO, Self, cast

from engine.archive.extraction import Extraction, Readable, UnpackLimits, refused
from engine.errors import BuildFailed
from models.enums import FailureCode

_CHUNK = 1024 * 1024
# What may lie between two entries: extended headers (long names, attributes), which tarfile reads
# into memory whole. Honest ones are a few KiB; a gigabyte of zeros gzips into a megabyte.
_MOST_HEADER = 2 * 1024 * 1024


def unpack_tar(path: Path, into: Path, limits: UnpackLimits, *, gzipped: bool) -> None:
    """Write a tar's entries into an empty directory.

    Raises BuildFailed (CONTEXT_INVALID, CONTEXT_TOO_LARGE).
    """
    extraction = Extraction(into, limits)
    try:
        with gzip.open(path) if gzipped else path.open("rb") as source:
            _extract(_Metered(cast(IO[bytes], source)), extraction)
            _read_to_the_end(source, limits)
    except (tarfile.TarError, zlib.error, gzip.BadGzipFile, EOFError, ValueError) as error:
        raise _damaged(f"it is truncated or damaged ({error})") from error
    extraction.finish()


class _Metered:
    """A file that refuses to be read beyond an allowance, renewed for each part of an archive."""

    def __init__(self, source: IO[bytes]) -> None:
        self._source = source
        self.allowance = 0

    def read(self, size: int) -> bytes:
        data = self._source.read(size)
        self.allowance -= len(data)
        if self.allowance < 0:
            raise _damaged("an entry's header is larger than 2 MiB")
        return data


class _Header(tarfile.TarInfo):
    """A header that must be right: tarfile takes a damaged one for the end of the archive."""

    @classmethod
    def frombuf(cls, buf: bytes | bytearray, encoding: str, errors: str) -> Self:
        if len(buf) < tarfile.BLOCKSIZE:
            raise _damaged("it ends too early; the upload may have been cut off")
        if not any(buf):
            # The end of the archive, which super() reports in tarfile's own way.
            return super().frombuf(buf, encoding, errors)
        try:
            header = super().frombuf(buf, encoding, errors)
        except tarfile.HeaderError as error:
            raise _damaged(f"a header is damaged ({error})") from error
        if header.size < 0:
            raise _damaged("an entry has a negative size")
        return header


def _extract(source: _Metered, extraction: Extraction) -> None:
    source.allowance = _MOST_HEADER
    with tarfile.open(
        # In stream mode, read() is all that is asked of a file.
        fileobj=cast(IO[bytes], source),
        mode="r|",
        tarinfo=_Header,
        encoding="utf-8",
        errors="surrogateescape",
    ) as archive:
        while (member := archive.next()) is not None:
            # Content is limited where it is written.
            source.allowance = sys.maxsize
            _add(archive, member, extraction)
            # tarfile remembers every member that it has seen.
            archive.members.clear()  # type: ignore[attr-defined]  # missing in the stubs
            source.allowance = _MOST_HEADER


def _add(archive: tarfile.TarFile, member: tarfile.TarInfo, extraction: Extraction) -> None:
    if member.isdir():
        extraction.directory(member.name, member.mode)
    elif member.isreg():
        if member.size < 0:
            raise refused(member.name, "has a negative size")
        # extractfile() gives None only for what has no content.
        extraction.file(member.name, member.mode, cast(Readable, archive.extractfile(member)))
    elif member.issym():
        extraction.symlink(member.name, member.linkname)
    elif member.islnk():
        extraction.hard_link(member.name, member.linkname)
    else:
        raise refused(member.name, "is a device, a pipe or of another kind that is not allowed")


def _read_to_the_end(source: "IO[bytes] | gzip.GzipFile", limits: UnpackLimits) -> None:
    """gzip's checksum comes last, and is checked by whoever reads up to it."""
    left = limits.max_bytes
    while left > 0 and (data := source.read(_CHUNK)):
        left -= len(data)


def _damaged(reason: str) -> BuildFailed:
    return BuildFailed(
        FailureCode.CONTEXT_INVALID,
        f"The archive cannot be read: {reason}. Make it again and upload it again.",
    )
