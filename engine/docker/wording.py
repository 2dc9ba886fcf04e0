"""The engine's error texts, freed of what means nothing to the one who wrote the Dockerfile."""

import re

# What the builder was doing, told again at every level; the cause stands at the end.
_LEVELS = re.compile(
    r"failed to solve(?: with frontend [\w.]+)?: |failed to create LLB definition: "
    r"|failed to (?:compute|load) cache key: |failed to calculate checksum of ref \S+: "
    r"|(?:\S+: )?failed to resolve source metadata for \S+: |rpc error: code = \w+ desc = "
    r"|executor failed running \[.*?\]: |process \".*?\" did not complete successfully: "
    r"|creating build container: |building at STEP \".*?\": "
    # What Podman's parser looks like inside.
    r"|Build error: | &imagebuilder\.Step.*",
    re.S,
)
# Directories of the engine that stand for the context or for a stage's root.
_ENGINE_PATHS = re.compile(
    r"/[^\s\"]*/(?:buildkit-mount\d+|overlay2?/\w+/(?:merged|diff)|vfs/dir/\w+|libpod_builder\d+/build)"
)
_STEP = re.compile(r"\[[^\]]*\] (?P<line>(?P<instruction>[A-Za-z]+)\b.*)", re.S)
_LONGEST_LINE = 120


def readable(text: str) -> str:
    """An error's cause, without the engine's own paths and levels."""
    return _ENGINE_PATHS.sub("", _LEVELS.sub("", text)).strip()


def instruction(step_name: str) -> tuple[str, str]:
    """The instruction in a step's name and its whole line: `RUN`, `RUN make`; else two blanks."""
    found = _STEP.fullmatch(step_name)
    if found is None:
        return "", ""
    return found["instruction"].upper(), shortened(found["line"])


def shortened(line: str) -> str:
    """A line of a Dockerfile that fits into a message."""
    line = " ".join(line.split())
    return line if len(line) <= _LONGEST_LINE else f"{line[:_LONGEST_LINE]}…"


def sentence(reason: str) -> str:
    """A reason as the end of a sentence that has its own full stop."""
    return reason.rstrip(" .")
