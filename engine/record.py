"""The whole record of a build as one JSON document; docs/record.schema.json describes it.

It refers to content by digest alone, so it can be kept, compared and checked anywhere.
"""

from datetime import UTC, datetime
from typing import Any, cast

from engine.differences import differences, text_digest
from engine.errors import NotFound
from models import Build, BuildStep, Image
from models.enums import FailureCode, Origin

Document = dict[str, Any]

# What a worker needs to ask for a user again, and nobody else.
_PRIVATE = ("groups", "podUid", "taskKey")

VERSION = 1  # grows with changes that a reader of the older version would misread


async def record(build: Build) -> Document:
    """Everything on record about a build, as it stands now. Raises NotFound."""
    image = await Image.get_or_none(id=build.image_id)
    if image is None:
        raise NotFound("The image was deleted a moment ago.")
    original = await Build.get_or_none(id=build.rebuild_of_id) if build.rebuild_of_id else None
    steps = await BuildStep.filter(build_id=build.id).order_by("index")
    return {
        "version": VERSION,
        "image": image.name,
        "number": build.number,
        "request": _request(image, build, original),
        "inputs": _inputs(image, build),
        "environment": _environment(build),
        "timings": _timings(build, steps),
        "result": _result(image, build),
    }


def _request(image: Image, build: Build, original: Build | None) -> Document:
    return {
        "by": build.created_by,
        "at": _time(build.created_at),
        "origin": image.origin.value,
        "source": {key: image.source[key] for key in image.source if key not in _PRIVATE},
        "repeats": _repeats(build, original) if original else None,
    }


def _repeats(build: Build, original: Build) -> Document:
    found = [
        {"input": one.input.value, "name": one.name, "before": one.before, "after": one.after}
        for one in differences(original, build)
    ]
    return {"number": original.number, "pinned": build.pinned, "differences": found}


def _inputs(image: Image, build: Build) -> Document:
    return {
        "commit": _commit(build),
        "upload": _upload(image) if image.origin is Origin.UPLOAD else None,
        "context": _sized(build.context_digest, build.context_size),
        "dockerfile": _dockerfile(build),
        "bases": [{"reference": b["reference"], "digest": b["digest"]} for b in build.bases],
        "sourceDateEpoch": build.source_date_epoch,
        "container": _container(build),
    }


def _container(build: Build) -> Document | None:
    """What was saved; its changed files are a list of their own."""
    found = build.container
    return found and {key: found[key] for key in found if key != "changesKey"}


def _commit(build: Build) -> Document | None:
    found = build.commit
    return found and {
        "sha": found["sha"],
        "author": found["author"],
        "message": found["message"],
        "committedAt": found["committed_at"],
    }


def _upload(image: Image) -> Document | None:
    return _sized(f"sha256:{image.source['sha256']}", image.source["size"])


def _dockerfile(build: Build) -> Document | None:
    # Tortoise types a field as one that is never null, here and below.
    text = cast("str | None", build.dockerfile)
    if text is None:
        return None
    return {"path": build.dockerfile_path, "digest": text_digest(text), "text": text}


def _environment(build: Build) -> Document | None:
    found = build.environment
    if not found:
        return None
    return {
        "engine": {
            "name": found.get("engine"),
            "version": found.get("engineVersion"),
            "imageStore": found.get("imageStore"),
        },
        "builder": found.get("builder"),
        "darkroom": found.get("darkroom"),
        "worker": build.worker,
    }


def _timings(build: Build, steps: list[BuildStep]) -> Document:
    return {
        "createdAt": _time(build.created_at),
        "startedAt": _time(build.started_at),
        "finishedAt": _time(build.finished_at),
        "tries": build.attempt,
        "steps": [
            {
                "index": step.index,
                "name": step.name,
                "status": step.status.value,
                "startedAt": _time(step.started_at),
                "finishedAt": _time(step.finished_at),
                "error": step.error,
            }
            for step in steps
        ],
    }


def _result(image: Image, build: Build) -> Document:
    at = f"{image.registry}/{image.repository}"
    return {
        "status": build.status.value,
        "image": {**_exactly(build), "reference": f"{at}@{build.digest}"} if build.digest else None,
        "failure": _failure(build),
        "log": {"lines": build.log_lines, "bytes": build.log_bytes},
    }


def _exactly(build: Build) -> Document:
    return {"digest": build.digest, "size": build.size, "platform": build.platform}


def _failure(build: Build) -> Document | None:
    code = cast("FailureCode | None", build.failure_code)
    if code is None:
        return None
    return {
        "code": code.value,
        "blame": code.blame.value,
        "message": build.failure_message,
        "step": build.failure_step,
    }


def _sized(digest: str | None, size: int | None) -> Document | None:
    return None if digest is None else {"digest": digest, "size": size}


def _time(moment: datetime | None) -> str | None:
    """RFC 3339, in UTC."""
    return moment.astimezone(UTC).isoformat().replace("+00:00", "Z") if moment else None
