"""What is in an image, as a registry gives it to anybody: read without Darkroom's code."""

import asyncio
import io
import json
import tarfile
import urllib.request
from typing import Any


async def files_of(reference: str) -> dict[str, str]:
    """The regular files of an image's layers, by path; of an open registry on loopback."""
    return await asyncio.to_thread(_files_of, reference)


def _files_of(reference: str) -> dict[str, str]:
    host, rest = reference.split("/", 1)
    repository, tag = rest.rsplit(":", 1)
    address = f"http://{host}/v2/{repository}"
    manifest = json.loads(_get(f"{address}/manifests/{tag}"))
    files: dict[str, str] = {}
    for layer in manifest["layers"]:
        with tarfile.open(fileobj=io.BytesIO(_get(f"{address}/blobs/{layer['digest']}"))) as tar:
            files |= {entry.name: _text(tar, entry) for entry in tar if entry.isfile()}
    return files


def _text(tar: tarfile.TarFile, entry: tarfile.TarInfo) -> str:
    content: Any = tar.extractfile(entry)
    return str(content.read().decode(errors="replace"))


def _get(url: str) -> bytes:
    accept = "application/vnd.docker.distribution.manifest.v2+json, */*"
    request = urllib.request.Request(url, headers={"Accept": accept})  # noqa: S310  # http above
    with urllib.request.urlopen(request, timeout=30) as answer:  # noqa: S310  # the same
        return bytes(answer.read())
