"""From an uploaded file to a directory."""

import io
from pathlib import Path

from engine.archive.extraction import Extraction, UnpackLimits
from engine.archive.kind import UploadKind, identify
from engine.archive.tar import unpack_tar
from engine.archive.zip import unpack_zip


def unpack(path: Path, into: Path, limits: UnpackLimits) -> None:
    """Write an upload's content into `into`, an empty directory; a Dockerfile under its name.

    Blocks, in constant memory. When it raises BuildFailed (CONTEXT_INVALID, CONTEXT_TOO_LARGE),
    what was written until then is left for the caller to remove.
    """
    match identify(path):
        case UploadKind.TAR:
            unpack_tar(path, into, limits, gzipped=False)
        case UploadKind.TAR_GZ:
            unpack_tar(path, into, limits, gzipped=True)
        case UploadKind.ZIP:
            unpack_zip(path, into, limits)
        case UploadKind.DOCKERFILE:
            extraction = Extraction(into, limits)
            extraction.file("Dockerfile", 0o644, io.BytesIO(path.read_bytes()))
