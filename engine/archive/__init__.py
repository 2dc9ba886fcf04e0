"""Uploaded files: what they are, and their content as a directory."""

from engine.archive.extraction import UnpackLimits
from engine.archive.kind import UploadKind, identify
from engine.archive.root import context_root
from engine.archive.unpack import unpack

__all__ = ["UnpackLimits", "UploadKind", "context_root", "identify", "unpack"]
