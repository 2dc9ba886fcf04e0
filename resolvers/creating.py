"""The ways to make an image: from what a mutation was given to the engine."""

import tempfile
from pathlib import Path

from engine import existing, images
from engine.images import Draft, Making
from engine.sources import dockerfile, git, upload
from resolvers import audit, saving
from resolvers.context import author_of, services_of, viewer_of
from schema.build import Build
from schema.context import Info
from schema.create_inputs import (
    CreateImageFromContainerInput,
    CreateImageFromDockerfileInput,
    CreateImageFromExistingInput,
    CreateImageFromGitInput,
    CreateImageFromTrainingTaskInput,
    CreateImageFromUploadInput,
    CreateImageInput,
    PushedImageInput,
)
from schema.image import Image
from schema.results import CreateImagePayload
from schema.scalars import Upload

CHUNK = 1024 * 1024  # bytes of an upload in memory at once


async def from_git(info: Info, given: CreateImageFromGitInput) -> CreateImagePayload:
    """A Dockerfile in a git repository."""
    making = await git.make(
        services_of(info),
        name=given.name,
        url=given.url,
        ref=given.ref,
        token_name=given.token_name or None,
        token=given.token or None,
        dockerfile_path=given.dockerfile_path,
        context_path=given.context_path,
    )
    return await _create(info, given, making)


async def from_dockerfile(info: Info, given: CreateImageFromDockerfileInput) -> CreateImagePayload:
    """A Dockerfile that was typed."""
    return await _create(info, given, dockerfile.make(given.dockerfile))


async def from_upload(info: Info, given: CreateImageFromUploadInput) -> CreateImagePayload:
    """A Dockerfile or an archive that was uploaded."""
    services = services_of(info)
    with tempfile.TemporaryDirectory(prefix="darkroom-upload-") as folder:
        path = Path(folder, "upload")
        if await _received(given.file, path, services.settings.upload_bytes):
            received = upload.Upload(path, given.file.filename or "upload")
            making = await upload.make(services, received, given.dockerfile_path)
        else:
            making = upload.too_large(services.settings.upload_bytes)
        return await _create(info, given, making)


async def _create(info: Info, given: CreateImageInput, making: Making) -> CreateImagePayload:
    owner = viewer_of(info).name
    image, build = await images.create(services_of(info), _draft(info, given), making, owner)
    return CreateImagePayload(image=Image.of(image), build=Build.of(build))


def _draft(info: Info, given: CreateImageInput) -> Draft:
    audit.note(name=given.name)
    return Draft(
        name=given.name,
        visibility=given.visibility,
        tags=tuple(given.tags),
        description=given.description,
        author=author_of(info),
        overwrite=isinstance(given, PushedImageInput) and given.overwrite,
    )


async def _received(file: Upload, path: Path, most: int) -> bool:
    """Copy an upload to the disk in small pieces; False when it has more than `most` bytes."""
    size = 0
    with path.open("wb") as target:  # small pieces into the page cache
        while data := await file.read(CHUNK):
            size += len(data)
            if size > most:
                return False
            target.write(data)
    return True


async def from_existing(info: Info, given: CreateImageFromExistingInput) -> CreateImagePayload:
    """An image that the registry has already."""
    row = await existing.register(services_of(info), _draft(info, given), viewer_of(info).name)
    return CreateImagePayload(image=Image.of(row), build=None)


async def from_training_task(
    info: Info, given: CreateImageFromTrainingTaskInput
) -> CreateImagePayload:
    """A container of a training task."""
    return await _create(info, given, await saving.of_training_task(info, given))


async def from_container(info: Info, given: CreateImageFromContainerInput) -> CreateImagePayload:
    """Any container."""
    return await _create(info, given, await saving.of_container(info, given))
