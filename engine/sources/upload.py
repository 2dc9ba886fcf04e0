"""A file that was uploaded: a Dockerfile, or an archive of a whole context."""

import asyncio
import hashlib
from dataclasses import dataclass
from pathlib import Path

from engine.archive import UnpackLimits, UploadKind, context_root, identify, unpack
from engine.errors import BuildFailed, FieldProblem
from engine.images import Making
from engine.job import Job
from engine.services import Services
from engine.sources import Fetched
from engine.sources.dockerfile import NAME, problems_of
from models.enums import Origin

CHUNK = 1024 * 1024  # bytes, as large as memory holds of an upload at once


@dataclass(frozen=True, slots=True)
class Upload:
    """A file on this machine's disk, and what its sender called it."""

    path: Path
    filename: str


async def make(services: Services, upload: Upload, dockerfile_path: str) -> Making:
    """Keep the file under its own digest; say what to put on record and what is wrong with it."""
    problems = await asyncio.to_thread(_problems, upload.path)
    size, sha256 = await asyncio.to_thread(_measure, upload.path)
    key = f"uploads/sha256/{sha256}"
    if not problems:
        await services.blobs.keep_file(key, upload.path)
    source = {
        "filename": upload.filename,
        "size": size,
        "sha256": sha256,
        "dockerfilePath": dockerfile_path,
    }
    return Making(Origin.UPLOAD, source, upload_key=key, upload=upload.path, problems=problems)


def too_large(limit: int) -> Making:
    """What to say of a file that has more than `limit` bytes."""
    message = f"The file is larger than {limit} bytes, the most that is taken."
    return Making(Origin.UPLOAD, {}, problems=[FieldProblem("file", message)])


async def fetch(job: Job) -> Fetched:
    """Unpack what was uploaded. Raises BuildFailed for what no context may hold."""
    settings, source = job.services.settings, job.image.source
    file = job.folder / "upload"
    directory = job.folder / "context"
    await asyncio.to_thread(directory.mkdir)
    await job.services.blobs.download(job.build.upload_key or "", file)
    if await asyncio.to_thread(identify, file) is UploadKind.DOCKERFILE:
        await asyncio.to_thread(file.rename, directory / NAME)
        return Fetched(directory, NAME)
    await job.say(f"Unpacking {source['filename']}.")
    limits = UnpackLimits(max_bytes=settings.context_bytes, max_entries=settings.context_entries)
    await asyncio.to_thread(unpack, file, directory, limits)
    await asyncio.to_thread(file.unlink)
    path = source["dockerfilePath"]
    return Fetched(await asyncio.to_thread(context_root, directory, path), path)


def _problems(path: Path) -> list[FieldProblem]:
    try:
        kind = identify(path)
    except BuildFailed as failure:
        return [FieldProblem("file", failure.message)]
    if kind is not UploadKind.DOCKERFILE:
        return []
    return [FieldProblem("file", problem) for problem in problems_of(path.read_text("utf-8"))]


def _measure(path: Path) -> tuple[int, str]:
    digest = hashlib.sha256()
    size = 0
    with path.open("rb") as file:
        while data := file.read(CHUNK):
            digest.update(data)
            size += len(data)
    return size, digest.hexdigest()
