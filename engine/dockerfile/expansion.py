"""Variables in a Dockerfile's words, expanded as BuildKit does it: `$x`, `${x:-word}`, ….

The modifiers are those of POSIX's shell (2.6.2), and `${x/pattern/text}`.
"""

import re
from collections.abc import Mapping

_NAME = re.compile(r"[A-Za-z_][A-Za-z0-9_]*|[0-9]+")
# Variables of variables can double a value with every line; no image's name is as long as this.
_LONGEST_VALUE = 4096
# `re` takes time that grows with the value's length to the power of the number of stars.
_LONGEST_MATCHED = 512
_MOST_STARS = 2
_MODIFIER = re.compile(r":?[-+?]|##?|%%?|//?")


class ExpansionError(ValueError):
    """A word cannot be expanded; the message says why."""


def expand(word: str, variables: Mapping[str, str], escape: str = "\\") -> str:
    """The value of a word: quotes removed, variables replaced; an unset one is empty.

    Raises ExpansionError.
    """
    try:
        return _Expansion(word, variables, escape).until("")
    except RecursionError:
        raise ExpansionError("is nested too deeply") from None


class _Expansion:
    def __init__(self, word: str, variables: Mapping[str, str], escape: str) -> None:
        self._word = word
        self._variables = variables
        self._escape = escape
        self._at = 0

    def until(self, stop: str) -> str:
        """Expand up to an unquoted character of `stop`, which is taken too, or to the end."""
        value = ""
        while self._at < len(self._word):
            char = self._take()
            if char in stop:
                return value
            value += self._expanded(char)
            _require_short(value)
        if stop:
            raise ExpansionError(f"a {stop} is missing")
        return value

    def _expanded(self, char: str) -> str:
        if char == "$":
            return self._variable()
        if char == "'":
            return self._single_quoted()
        if char == '"':
            return self._double_quoted()
        if char == self._escape:
            return self._take()
        return char

    def _take(self) -> str:
        """The next character; nothing at the end."""
        char = self._word[self._at : self._at + 1]
        self._at += 1
        return char

    def _peek(self) -> str:
        return self._word[self._at : self._at + 1]

    def _single_quoted(self) -> str:
        end = self._word.find("'", self._at)
        if end < 0:
            raise ExpansionError("a ' is not closed")
        value = self._word[self._at : end]
        self._at = end + 1
        return value

    def _double_quoted(self) -> str:
        value = ""
        while char := self._take():
            if char == '"':
                return value
            if char == "$":
                value += self._variable()
            elif char == self._escape and self._peek() in ('"', "$", self._escape):
                value += self._take()
            else:
                value += char
            _require_short(value)
        raise ExpansionError('a " is not closed')

    def _variable(self) -> str:
        braces = self._peek() == "{"
        if braces:
            self._take()
        name = self._name()
        if not braces:
            return self._variables.get(name, "") if name else "$"
        if not name:
            raise ExpansionError("a variable's name is missing after ${")
        if self._peek() == "}":
            self._take()
            return self._variables.get(name, "")
        return self._modified(name)

    def _name(self) -> str:
        found = _NAME.match(self._word, self._at)
        if not found:
            return ""
        self._at = found.end()
        return found[0]

    def _modified(self, name: str) -> str:
        found = _MODIFIER.match(self._word, self._at)
        if not found:
            raise ExpansionError(f"${{{name}}} is not closed, or has an unknown modifier")
        self._at = found.end()
        value = self._variables.get(name)
        match found[0]:
            case "/" | "//":
                return self._replaced(value or "", everywhere=found[0] == "//")
            case "#" | "##" | "%" | "%%":
                return _trimmed(value or "", self.until("}"), found[0])
            case modifier:
                # With a colon, empty counts as unset.
                missing = not value if modifier.startswith(":") else value is None
                return _or_default(name, value or "", self.until("}"), modifier[-1], missing)

    def _replaced(self, value: str, *, everywhere: bool) -> str:
        pattern, replacement = self.until("/"), self.until("}")
        expression = _shell_pattern(pattern, value)
        return expression.sub(lambda _: replacement, value, count=0 if everywhere else 1)


def _or_default(name: str, value: str, word: str, modifier: str, missing: bool) -> str:
    if modifier == "-":
        return word if missing else value
    if modifier == "+":
        return "" if missing else word
    if missing:
        raise ExpansionError(f"{name}: {word or 'must be set'}")
    return value


def _trimmed(value: str, pattern: str, modifier: str) -> str:
    """Remove the shortest (`#`, `%`) or longest (`##`, `%%`) match from the start or the end."""
    ends = range(len(value) + 1)
    expression = _shell_pattern(pattern, value)
    if modifier.startswith("#"):
        for end in ends if modifier == "#" else reversed(ends):
            if expression.fullmatch(value, 0, end):
                return value[end:]
    else:
        for start in reversed(ends) if modifier == "%" else ends:
            if expression.fullmatch(value, start):
                return value[:start]
    return value


def _shell_pattern(pattern: str, value: str) -> re.Pattern[str]:
    """`*` and `?` as an expression that is to be matched with `value`."""
    parts = re.sub(r"\*+", "*", pattern)
    if parts.count("*") > _MOST_STARS or len(value) > _LONGEST_MATCHED:
        raise ExpansionError("has a pattern that is too complex")
    wild = {"*": ".*", "?": "."}
    return re.compile("".join(wild.get(char, re.escape(char)) for char in parts), re.DOTALL)


def _require_short(value: str) -> None:
    if len(value) > _LONGEST_VALUE:
        raise ExpansionError(f"is longer than {_LONGEST_VALUE:,} characters")
