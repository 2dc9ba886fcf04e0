"""A Dockerfile's build stages and the ARG values that its FROM lines may use."""

import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass

from engine.dockerfile.expansion import ExpansionError, expand
from engine.dockerfile.instructions import Dockerfile, Instruction
from engine.dockerfile.problem import invalid
from engine.dockerfile.words import UnclosedQuote, Word, split, split_plainly

_STAGE_NAME = re.compile(r"[a-z][a-z0-9._-]*")


@dataclass(frozen=True, slots=True)
class From:
    """A FROM line: the image as written and as expanded, and the stage's name in lower case."""

    instruction: Instruction
    image: Word
    reference: str
    platform: str | None
    stage: str | None


def froms(dockerfile: Dockerfile, variables: Mapping[str, str]) -> list[From]:
    """Every FROM line. Raises BuildFailed (DOCKERFILE_INVALID) with the line."""
    return [
        _read_from(instruction, variables, dockerfile.escape)
        for instruction in dockerfile.instructions
        if instruction.name == "FROM"
    ]


def global_variables(
    dockerfile: Dockerfile, arguments: Mapping[str, str], platform: str
) -> dict[str, str]:
    """What FROM lines may use: the ARGs before the first FROM, and the automatic ones.

    `arguments` are the values given to the build, which win over defaults; `platform` is that of
    the machine and of the image, as `linux/amd64` or `linux/arm/v7`.
    """
    variables = _platform_variables(platform)
    for instruction in dockerfile.instructions:
        if instruction.name == "FROM":
            break
        if instruction.name == "ARG":
            for name, value in _read_arg(instruction, variables, dockerfile.escape):
                if name in arguments:
                    variables[name] = arguments[name]
                elif value is not None:
                    variables[name] = value
    return variables


def expanded(instruction: Instruction, word: str, variables: Mapping[str, str], escape: str) -> str:
    """A word's value. Raises BuildFailed (DOCKERFILE_INVALID) with the line."""
    try:
        return expand(word, variables, escape)
    except ExpansionError as error:
        raise invalid(instruction.line, f"{word[:100]}: {error}.") from None


def _platform_variables(platform: str) -> dict[str, str]:
    system, architecture, variant = (*platform.split("/", 2), "", "")[:3]
    return {
        f"{side}{name}": value
        for side in ("BUILD", "TARGET")
        for name, value in (
            ("PLATFORM", platform),
            ("OS", system),
            ("ARCH", architecture),
            ("VARIANT", variant),
        )
    }


def _read_arg(
    instruction: Instruction, variables: Mapping[str, str], escape: str
) -> Iterator[tuple[str, str | None]]:
    """`ARG a=1 b`: names, and their defaults where there are any."""
    try:
        words = list(split(instruction.text, escape, instruction.arguments_at))
    except UnclosedQuote as error:
        raise invalid(instruction.line, f"{error}.") from None
    for word in words:
        name, equals, default = word.text.partition("=")
        yield name, expanded(instruction, default, variables, escape) if equals else None


def _read_from(instruction: Instruction, variables: Mapping[str, str], escape: str) -> From:
    words = list(split_plainly(instruction.text, instruction.arguments_at))
    if len(words) not in (1, 3) or (len(words) == 3 and words[1].text.upper() != "AS"):
        raise invalid(instruction.line, "FROM needs an image, and may have 'AS name' after it.")
    stage = words[2].text.lower() if len(words) == 3 else None
    if stage is not None and not _STAGE_NAME.fullmatch(stage):
        raise invalid(
            instruction.line,
            f"the stage's name {words[2].text!r} must start with a letter and have only "
            "letters, digits, '-', '_' and '.'.",
        )
    reference = expanded(instruction, words[0].text, variables, escape)
    if not reference:
        raise invalid(
            instruction.line,
            f"FROM {words[0].text} names no image: give its ARG a default before the first FROM, "
            "or a value with the build.",
        )
    return From(instruction, words[0], reference, _platform(instruction, variables, escape), stage)


def _platform(instruction: Instruction, variables: Mapping[str, str], escape: str) -> str | None:
    for flag in instruction.flags:
        name, _, value = flag.text.partition("=")
        if name.lower() == "--platform":
            return expanded(instruction, value, variables, escape) or None
    return None
