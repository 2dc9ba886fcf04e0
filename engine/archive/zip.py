"""Unpacking zip (PKWARE's APPNOTE): stored and deflated entries, Unix modes and links, zip64."""

import stat
import zipfile
import zlib
from pathlib import Path

from engine.archive.extraction import Extraction, UnpackLimits, refused, too_many_entries
from engine.archive.zip_directory import exceeds
from engine.errors import BuildFailed
from models.enums import FailureCode

_ENCRYPTED = 0x1
_NAME_IS_UTF8 = 0x800
_MADE_ON_DOS, _MADE_ON_UNIX = 0, 3
# The others let an archive choose how much memory its reader takes (LZMA), or hardly exist.
_METHODS = {zipfile.ZIP_STORED, zipfile.ZIP_DEFLATED}
_LONGEST_TARGET = 4096  # PATH_MAX


def unpack_zip(path: Path, into: Path, limits: UnpackLimits) -> None:
    """Write a zip's entries into an empty directory.

    Raises BuildFailed (CONTEXT_INVALID, CONTEXT_TOO_LARGE).
    """
    extraction = Extraction(into, limits)
    try:
        # Asked first: ZipFile makes an object of every entry when it opens.
        if exceeds(path, limits.max_entries):
            raise too_many_entries(limits)
        with zipfile.ZipFile(path) as archive:
            for info in archive.infolist():
                _add(archive, info, extraction)
    except (zipfile.BadZipFile, zlib.error, EOFError, NotImplementedError, ValueError) as error:
        raise BuildFailed(
            FailureCode.CONTEXT_INVALID,
            f"The archive cannot be read: it is truncated or damaged ({error}). "
            "Make it again and upload it again.",
        ) from error
    extraction.finish()


def _add(archive: zipfile.ZipFile, info: zipfile.ZipInfo, extraction: Extraction) -> None:
    name = _name(info)
    if info.flag_bits & _ENCRYPTED:
        raise refused(name, "is encrypted; make the archive without a password")
    if info.compress_type not in _METHODS:
        raise refused(name, "is compressed by another method than deflate")
    mode = info.external_attr >> 16 if info.create_system == _MADE_ON_UNIX else 0
    kind = stat.S_IFMT(mode)
    if kind == stat.S_IFLNK:
        extraction.symlink(name, _target(archive, info, name))
    elif kind == stat.S_IFDIR or (kind == 0 and name.endswith("/")):
        extraction.directory(name, mode or 0o755)
    elif kind in (0, stat.S_IFREG):
        with archive.open(info) as content:
            extraction.file(name, mode or 0o644, content)
    else:
        raise refused(name, "is a device, a pipe or of another kind that is not allowed")


def _name(info: zipfile.ZipInfo) -> str:
    """An entry's name; `zipfile` reads what is not marked as UTF-8 as code page 437.

    Most archives made on Unix hold UTF-8 without the mark.
    """
    # Not `filename`, which ends at the first zero byte and so may hide the rest.
    name = info.orig_filename
    if not info.flag_bits & _NAME_IS_UTF8:
        try:
            name = name.encode("cp437").decode("utf-8")
        except UnicodeError:
            raise refused(
                name, "has a name that is not UTF-8; make the archive with UTF-8 names"
            ) from None
    if info.create_system == _MADE_ON_DOS:
        # Some Windows programs write their own separator, against the specification (4.4.17.1).
        name = name.replace("\\", "/")
    return name


def _target(archive: zipfile.ZipFile, info: zipfile.ZipInfo, name: str) -> str:
    """A symbolic link's content is its target."""
    with archive.open(info) as content:
        target = content.read(_LONGEST_TARGET + 1)
    try:
        return target.decode("utf-8")
    except UnicodeDecodeError:
        raise refused(name, "is a symbolic link whose target is not UTF-8") from None
