"""What is wrong with a Dockerfile, as far as its text alone tells."""

import difflib
from collections.abc import Mapping

from engine.dockerfile.bases import bases
from engine.dockerfile.copies import copies_from_context
from engine.dockerfile.instructions import Instruction, parse
from engine.errors import BuildFailed
from engine.sizes import format_bytes

MAX_BYTES = 512 * 1024

_INSTRUCTIONS = (
    "ADD",
    "ARG",
    "CMD",
    "COPY",
    "ENTRYPOINT",
    "ENV",
    "EXPOSE",
    "FROM",
    "HEALTHCHECK",
    "LABEL",
    "MAINTAINER",
    "ONBUILD",
    "RUN",
    "SHELL",
    "STOPSIGNAL",
    "USER",
    "VOLUME",
    "WORKDIR",
)
# More would only repeat the first mistake.
_MOST_PROBLEMS = 20


def too_large(size: int) -> str:
    """The problem of a Dockerfile that has `size` bytes."""
    return f"The Dockerfile has {format_bytes(size)}; at most {format_bytes(MAX_BYTES)} is allowed."


def check(text: str, arguments: Mapping[str, str] | None = None) -> list[str]:
    """Every problem in words for the author, each with its line; empty when there is none.

    `arguments` are the build's values for ARGs. What only a build can tell, such as a base image
    that does not exist, is not looked at.
    """
    size = len(text.encode("utf-8", "surrogatepass"))
    if size > MAX_BYTES:
        return [too_large(size)]
    try:
        instructions = parse(text).instructions
    except BuildFailed as error:
        return [error.message]
    if not instructions:
        return ["The Dockerfile is empty. It starts with FROM and an image."]
    return (_shape(instructions) or _details(text, arguments))[:_MOST_PROBLEMS]


def _shape(instructions: tuple[Instruction, ...]) -> list[str]:
    """Problems of the instructions' names and of their order."""
    problems = []
    in_stage = False
    for instruction in instructions:
        in_stage = in_stage or instruction.name == "FROM"
        if instruction.name not in _INSTRUCTIONS:
            problems.append(_unknown(instruction))
        elif not in_stage and instruction.name != "ARG":
            problems.append(
                f"Dockerfile, line {instruction.line}: {instruction.name} stands before the first "
                "FROM, where only ARG may."
            )
        elif not instruction.arguments.strip() and not instruction.here_documents:
            problems.append(
                f"Dockerfile, line {instruction.line}: {instruction.name} has no arguments."
            )
    if not in_stage and not problems:
        problems.append("The Dockerfile has no FROM: it names the image to start from.")
    return problems


def _details(text: str, arguments: Mapping[str, str] | None) -> list[str]:
    problems = []
    for read in (lambda: bases(text, arguments), lambda: copies_from_context(text)):
        try:
            read()
        except BuildFailed as error:
            problems.append(error.message)
    return problems


def _unknown(instruction: Instruction) -> str:
    shown = instruction.text.split()[0][:40]
    near = difflib.get_close_matches(instruction.name, _INSTRUCTIONS, n=1)
    suggestion = f" Did you mean {near[0]}?" if near else ""
    return f"Dockerfile, line {instruction.line}: unknown instruction {shown!r}.{suggestion}"
