"""What a Dockerfile takes from its build context."""

import json
import re
from dataclasses import dataclass

from engine.dockerfile.instructions import Instruction, here_document, parse
from engine.dockerfile.problem import invalid

# What ADD fetches itself: addresses, and repositories in git's forms.
_REMOTE = re.compile(r"(?:https?|ftp|git|ssh)://|git@", re.IGNORECASE)


@dataclass(frozen=True, slots=True)
class ContextUse:
    """An instruction that needs files of the context, and their paths as written."""

    line: int
    instruction: str
    sources: tuple[str, ...]


def copies_from_context(text: str) -> list[ContextUse]:
    """COPY, ADD and RUN --mount=type=bind that read the context, in the text's order.

    Not those from stages or images, here-documents, or what ADD fetches from elsewhere. Raises
    BuildFailed (DOCKERFILE_INVALID) with the line.
    """
    uses = []
    for instruction in parse(text).instructions:
        sources = _sources(instruction)
        if sources:
            uses.append(ContextUse(instruction.line, instruction.name, sources))
    return uses


def _sources(instruction: Instruction) -> tuple[str, ...]:
    if instruction.name == "RUN":
        return tuple(
            mounted
            for flag in instruction.flags
            if (mounted := _bind_source(flag.text)) is not None
        )
    if instruction.name not in ("COPY", "ADD"):
        return ()
    if any(flag.text.lower().startswith("--from=") for flag in instruction.flags):
        return ()
    paths = _paths(instruction.arguments)
    if len(paths) < 2:
        raise invalid(instruction.line, f"{instruction.name} needs a source and a destination.")
    remote = _REMOTE if instruction.name == "ADD" else None
    return tuple(
        path
        for path in paths[:-1]
        if here_document(path) is None and not (remote and remote.match(path))
    )


def _paths(arguments: str) -> list[str]:
    """`a b /to`, or the same as a JSON array; what is no valid array is read as words."""
    if arguments.lstrip().startswith("["):
        try:
            paths = json.loads(arguments)
        except ValueError:
            return arguments.split()
        if isinstance(paths, list) and all(isinstance(path, str) for path in paths):
            return paths
    return arguments.split()


def _bind_source(flag: str) -> str | None:
    """The path of a bind mount from the context; None for other flags and mounts."""
    name, _, value = flag.partition("=")
    if name.lower() != "--mount":
        return None
    options = dict(_option(part) for part in value.replace('"', "").replace("'", "").split(","))
    if options.get("type", "bind") != "bind" or "from" in options:
        return None
    return options.get("source") or options.get("src") or "."


def _option(part: str) -> tuple[str, str]:
    name, _, value = part.partition("=")
    return name.lower(), value
