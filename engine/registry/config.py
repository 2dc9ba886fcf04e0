"""An image's config: how it runs, and how it came to be (OCI image specification)."""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime

from engine.registry.fields import Object, nested, objects, optional_text, text, text_map, texts


@dataclass(frozen=True, slots=True)
class Step:
    """One entry of an image's history; `empty` steps made no layer."""

    created: datetime | None
    created_by: str
    comment: str
    empty: bool


@dataclass(frozen=True, slots=True)
class Config:
    """What a runtime and a reader need to know; lists that were not set are None."""

    os: str
    architecture: str
    variant: str | None
    created: datetime | None
    author: str | None
    entrypoint: tuple[str, ...] | None
    cmd: tuple[str, ...] | None
    env: tuple[str, ...]
    labels: Mapping[str, str]
    user: str | None
    working_directory: str | None
    diff_ids: tuple[str, ...]
    """Digests of the layers before compression, the base's first."""
    history: tuple[Step, ...]


def parse_config(document: Object) -> Config:
    """Raises Malformed."""
    run = nested(document, "config")
    return Config(
        os=text(document, "os"),
        architecture=text(document, "architecture"),
        variant=optional_text(document, "variant"),
        created=_time(document),
        author=optional_text(document, "author"),
        entrypoint=texts(run, "Entrypoint"),
        cmd=texts(run, "Cmd"),
        env=texts(run, "Env") or (),
        labels=text_map(run, "Labels"),
        user=optional_text(run, "User"),
        working_directory=optional_text(run, "WorkingDir"),
        diff_ids=texts(nested(document, "rootfs"), "diff_ids") or (),
        history=tuple(_step(entry) for entry in objects(document, "history")),
    )


def _step(entry: Object) -> Step:
    return Step(
        _time(entry),
        optional_text(entry, "created_by") or "",
        optional_text(entry, "comment") or "",
        entry.get("empty_layer") is True,
    )


def _time(source: Object) -> datetime | None:
    """`created`, which tells people something and must not keep an image from being read."""
    try:
        when = datetime.fromisoformat(optional_text(source, "created") or "")
    except ValueError:
        return None
    # Year 1 is Go's way to say that a time is not set.
    return when if when.tzinfo and when.year > 1 else None
