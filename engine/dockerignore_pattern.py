"""One line of a .dockerignore, compiled to an automaton.

An automaton and not a regular expression: a pattern comes with an upload, and Python's `re` takes
exponential time for `*a*a*a*b` and the like. Here the time is linear in the path's length, and
each step that was taken once is remembered, so that a step costs one look-up.

A state is a set of positions between the pattern's tokens, written as the bits of an integer.
"""

import re
from dataclasses import dataclass
from enum import Enum, auto

# The grammar of Go's filepath.Match; what does not match is malformed.
_CLASS_CHAR = r"(?:\\.|[^\\\-\]])"
_WELL_FORMED = re.compile(
    rf"(?:\\.|[^\[\\]|\[\^?(?:{_CLASS_CHAR}(?:-{_CLASS_CHAR})?)+\])*", re.DOTALL
)
_CLASS = re.compile(rf"\[(\^?)((?:{_CLASS_CHAR}(?:-{_CLASS_CHAR})?)+)\]", re.DOTALL)
_RANGE = re.compile(rf"({_CLASS_CHAR})(?:-({_CLASS_CHAR}))?", re.DOTALL)
_ONLY_LEADING_STARS = re.compile(r"\*\*(?!/)[^*?\\\[\]]*")
_SPECIAL = re.compile(r"[*?\\\[\]]")
# Bounds the memory of a pattern that meets ever new characters.
_MOST_STEPS = 20_000


class _Wild(Enum):
    NAME = auto()  # `*`: any characters but a slash
    DIRECTORIES = auto()  # `**`: nothing, or any directories with the slash after them
    INSIDE = auto()  # the state of `**` while within a directory's name
    ALL = auto()  # a trailing `**`: anything


@dataclass(frozen=True, slots=True)
class _OneOf:
    """`?`, `[a-z]` or `[^a-z]`: one character."""

    ranges: tuple[tuple[str, str], ...]
    negated: bool

    def takes(self, char: str) -> bool:
        return any(low <= char <= high for low, high in self.ranges) is not self.negated


_Token = str | _OneOf | _Wild


class Pattern:
    """A cleaned pattern, without its `!`. Raises ValueError when it is malformed."""

    def __init__(self, text: str) -> None:
        if not _WELL_FORMED.fullmatch(text):
            raise ValueError(f"malformed pattern {text!r}")
        self.text = text
        self.literal = not _SPECIAL.search(text)
        self._tokens = _tokens(text)
        self._final = 1 << len(self._tokens)
        self._start = self._with_skips(1)
        self._steps: dict[tuple[int, str], int] = {}

    def matches(self, path: str) -> bool:
        """Whether the pattern matches a path as a whole."""
        if self.literal:
            return path == self.text
        state = self._start
        for char in path:
            state = self._next(state, char)
            if not state:
                return False
        return bool(state & self._final)

    def may_match_below(self, directory: str) -> bool:
        """Whether a path in `directory` can match; True when that takes more than a prefix."""
        return not self.literal or self.text.startswith(directory + "/")

    def _next(self, state: int, char: str) -> int:
        step = self._steps.get((state, char))
        if step is None:
            if len(self._steps) >= _MOST_STEPS:
                self._steps.clear()
            step = self._steps[state, char] = self._take(state, char)
        return step

    def _take(self, state: int, char: str) -> int:
        """The positions after one more character."""
        after = 0
        for at, token in enumerate(self._tokens):
            if state >> at & 1:
                after |= _after(token, char) << at
        return self._with_skips(after)

    def _with_skips(self, state: int) -> int:
        """Add the positions that are reached without a character."""
        for at, token in enumerate(self._tokens):
            if state >> at & 1:
                state |= _SKIPS.get(token, 0) << at if isinstance(token, _Wild) else 0
        return state


# Relative positions, as bits: 1 is here, 2 the next, 4 the one after.
_SKIPS = {_Wild.NAME: 2, _Wild.ALL: 2, _Wild.DIRECTORIES: 4}


def _after(token: _Token, char: str) -> int:
    """Where a character leads from before `token`, as bits relative to that position."""
    match token:
        case str():
            return 2 if token == char else 0
        case _OneOf():
            return 2 if token.takes(char) else 0
        case _Wild.NAME:
            return 0 if char == "/" else 1
        case _Wild.ALL:
            return 1
        case _Wild.DIRECTORIES:
            return 2 | 4 if char == "/" else 2
        case _:
            return 1 | 2 if char == "/" else 1


def _tokens(text: str) -> list[_Token]:
    # moby reads `**x` as "ends with x", and `**x*` as "x* in any directory".
    if _ONLY_LEADING_STARS.fullmatch(text):
        return [_Wild.ALL, *text[2:]]
    tokens: list[_Token] = []
    at = 0
    while at < len(text):
        token, at = _token(text, at)
        tokens += token
    return tokens


def _token(text: str, at: int) -> tuple[list[_Token], int]:
    """Read one token; the position after it comes with it."""
    if text.startswith("**", at):
        at += 3 if text.startswith("/", at + 2) else 2
        return ([_Wild.DIRECTORIES, _Wild.INSIDE] if at < len(text) else [_Wild.ALL]), at
    if text[at] == "*":
        return [_Wild.NAME], at + 1
    if text[at] == "?":
        return [_OneOf((("/", "/"),), negated=True)], at + 1
    if text[at] == "\\":
        return [text[at + 1]], at + 2
    if text[at] == "[" and (found := _CLASS.match(text, at)):
        return [_one_of(found)], found.end()
    return [text[at]], at + 1


def _one_of(found: re.Match[str]) -> _OneOf:
    ranges = tuple((low[-1], (high or low)[-1]) for low, high in _RANGE.findall(found[2]))
    return _OneOf(ranges, negated=bool(found[1]))
