"""The images that a Dockerfile takes from elsewhere, and writing their digests into it."""

import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass

from engine.dockerfile.instructions import Dockerfile, Instruction, parse
from engine.dockerfile.problem import invalid
from engine.dockerfile.stages import From, froms, global_variables

_FROM_IN_COPY = re.compile(r"--from=(['\"]?)(.*?)\1", re.IGNORECASE)
_FROM_IN_MOUNT = re.compile(r"(?:^--mount=|,)[\"']?from=([^,\"']*)", re.IGNORECASE)
_EMPTY = "scratch"


@dataclass(frozen=True, slots=True)
class BaseUse:
    """One use of an image that is not made by the Dockerfile itself.

    `reference` has its variables replaced, and is otherwise as written; `platform` is what
    `--platform` asks for. `start` and `end` are where it stands in the text, in characters.
    """

    reference: str
    line: int
    instruction: str
    platform: str | None
    start: int
    end: int


def bases(
    text: str, arguments: Mapping[str, str] | None = None, platform: str = "linux/amd64"
) -> list[BaseUse]:
    """Every image that the text takes from elsewhere, in its order.

    `arguments` are the build's values for ARGs; `platform` is the builder's. Raises BuildFailed
    (DOCKERFILE_INVALID) with the line.
    """
    dockerfile = parse(text)
    variables = global_variables(dockerfile, arguments or {}, platform)
    stages = {found.instruction.line: found for found in froms(dockerfile, variables)}
    # COPY and RUN may name any stage; a FROM only those above it.
    names = {found.stage for found in stages.values() if found.stage}
    above: set[str] = set()
    uses: list[BaseUse] = []
    for instruction in dockerfile.instructions:
        found = stages.get(instruction.line)
        if found is None:
            uses += _external(_named_images(instruction, dockerfile), names)
            continue
        uses += _external([_from_use(found)], above)
        if found.stage:
            above.add(found.stage)
    return uses


def pin(
    text: str,
    digests: Mapping[str, str],
    arguments: Mapping[str, str] | None = None,
    platform: str = "linux/amd64",
) -> str:
    """Write `reference@sha256:…` for every reference in `digests`, as `bases` gives them.

    Everything else stays byte for byte, and a reference that has a digest keeps it.
    """
    pinned = text
    for use in reversed(bases(text, arguments, platform)):
        if use.reference in digests and "@" not in use.reference:
            replacement = f"{use.reference}@{digests[use.reference]}"
            pinned = pinned[: use.start] + replacement + pinned[use.end :]
    return pinned


def frontend(text: str) -> str | None:
    """The image that `# syntax=` names: BuildKit fetches it to read the Dockerfile with it."""
    return parse(text).directives.get("syntax")


def _external(uses: "list[BaseUse] | Iterator[BaseUse]", stages: set[str]) -> Iterator[BaseUse]:
    for use in uses:
        name = use.reference.lower()
        # A number is a stage too, counted from 0; FROM alone cannot use it.
        numbered = name.isdigit() and use.instruction != "FROM"
        if name != _EMPTY and name not in stages and not numbered:
            yield use


def _from_use(found: From) -> BaseUse:
    start, end = found.instruction.source_span(found.image.start, found.image.end)
    return BaseUse(found.reference, found.instruction.line, "FROM", found.platform, start, end)


def _named_images(instruction: Instruction, dockerfile: Dockerfile) -> Iterator[BaseUse]:
    """`COPY --from=image` and `RUN --mount=…,from=image`."""
    for flag in instruction.flags:
        if instruction.name == "COPY" and (found := _FROM_IN_COPY.fullmatch(flag.text)):
            span = (found.start(2), found.end(2))
        elif instruction.name == "RUN" and (found := _FROM_IN_MOUNT.search(flag.text)):
            span = (found.start(1), found.end(1))
        else:
            continue
        reference = flag.text[slice(*span)]
        _require_no_variable(instruction, reference)
        if reference:
            start, end = instruction.source_span(flag.start + span[0], flag.start + span[1])
            yield BaseUse(reference, instruction.line, instruction.name, None, start, end)


def _require_no_variable(instruction: Instruction, reference: str) -> None:
    if "$" in reference:
        raise invalid(
            instruction.line,
            f"'from={reference}' cannot have variables: add 'FROM {reference} AS name' above, "
            "and use from=name.",
        )
