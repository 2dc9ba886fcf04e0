"""Counting a zip's entries without keeping them (PKWARE's APPNOTE, 4.3.12 to 4.3.16)."""

import os
import struct
import zipfile
from pathlib import Path
from typing import IO

_END = b"PK\x05\x06"
_END_LENGTH = 22
_LONGEST_COMMENT = 0xFFFF
_END64 = b"PK\x06\x06"
_END64_AND_LOCATOR = 56 + 20
_ENTRY = b"PK\x01\x02"
_ENTRY_LENGTH = 46


def exceeds(path: Path, count: int) -> bool:
    """Whether the archive lists more than `count` entries; reads on only until that is known.

    Raises zipfile.BadZipFile when the list is not where it must be.
    """
    with path.open("rb") as file:
        start, end = _central_directory(file)
        file.seek(start)
        for _ in range(count + 1):
            if file.tell() >= end:
                return False
            _skip_entry(file)
    return True


def _central_directory(file: IO[bytes]) -> tuple[int, int]:
    """Where the list of entries starts and ends: it lies right before its end record."""
    size = file.seek(0, os.SEEK_END)
    tail_start = max(0, size - _END_LENGTH - _LONGEST_COMMENT - _END64_AND_LOCATOR)
    file.seek(tail_start)
    tail = file.read()
    at = tail.rfind(_END)
    if at < 0 or len(tail) - at < _END_LENGTH:
        raise zipfile.BadZipFile("it has no end record")
    (length,) = struct.unpack_from("<I", tail, at + 12)
    end = tail_start + at
    at64 = at - _END64_AND_LOCATOR
    if at64 >= 0 and tail.startswith(_END64, at64):
        (length,) = struct.unpack_from("<Q", tail, at64 + 40)
        end = tail_start + at64
    if length > end:
        raise zipfile.BadZipFile("its list of entries does not fit into it")
    return end - length, end


def _skip_entry(file: IO[bytes]) -> None:
    header = file.read(_ENTRY_LENGTH)
    if len(header) < _ENTRY_LENGTH or not header.startswith(_ENTRY):
        raise zipfile.BadZipFile("its list of entries is damaged")
    # The name, the extra fields and the comment follow.
    file.seek(sum(struct.unpack_from("<3H", header, 28)), os.SEEK_CUR)
