"""What differs between the inputs of two builds of one image, as they stand on record."""

import hashlib
from collections.abc import Iterator
from dataclasses import dataclass

from models import Build
from models.enums import BuildInput


@dataclass(frozen=True, slots=True)
class Difference:
    """One input before and after; `name` tells which base image is meant."""

    input: BuildInput
    name: str | None
    before: str | None
    after: str | None

    def __str__(self) -> str:
        """As a log says it."""
        what = self.input.value.lower().replace("_", " ")
        named = f" {self.name}" if self.name else ""
        return f"{what}{named} was {self.before or 'not there'}, is {self.after or 'not there'}"


def differences(original: Build, build: Build) -> list[Difference]:
    """What is known to differ; an input that either build never came to resolve is left out."""
    return [*_single(original, build), *_bases(original, build)]


def _single(original: Build, build: Build) -> Iterator[Difference]:
    before, after = _inputs(original), _inputs(build)
    for input_, old in before.items():
        new = after[input_]
        if old and new and old != new:
            yield Difference(input_, None, old, new)


def _inputs(build: Build) -> dict[BuildInput, str | None]:
    return {
        BuildInput.COMMIT: (build.commit or {}).get("sha"),
        BuildInput.CONTEXT: build.context_digest,
        BuildInput.DOCKERFILE: text_digest(build.dockerfile),
        BuildInput.DOCKERFILE_PATH: build.dockerfile_path,
        BuildInput.ENGINE: _engine(build),
        BuildInput.DARKROOM: build.environment.get("darkroom"),
    }


def _bases(original: Build, build: Build) -> Iterator[Difference]:
    if not original.bases or not build.bases:
        return
    before = {base["reference"]: base["digest"] for base in original.bases}
    after = {base["reference"]: base["digest"] for base in build.bases}
    for name in {**before, **after}:
        if before.get(name) != after.get(name):
            yield Difference(BuildInput.BASE, name, before.get(name), after.get(name))


def text_digest(text: str | None) -> str | None:
    """A text by the digest of its UTF-8 bytes."""
    return None if text is None else f"sha256:{hashlib.sha256(text.encode()).hexdigest()}"


def _engine(build: Build) -> str | None:
    found = build.environment
    if "engine" not in found:
        return None
    parts = (found.get(key) for key in ("engine", "engineVersion", "builder", "imageStore"))
    return " ".join(str(part) for part in parts if part)
