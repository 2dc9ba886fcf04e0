"""`WWW-Authenticate`: how a registry says which login it wants (RFC 9110, section 11.6.1)."""

import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass

_LETTER = r"[!#$%&'*+.^_`|~0-9A-Za-z-]"
_TOKEN = rf"{_LETTER}+"
_PARAMETER = rf'({_TOKEN})\s*=\s*(?:"((?:[^"\\]|\\.)*)"|({_TOKEN}))'
# The look-behind keeps a long word from being tried again from each of its letters.
_CHALLENGE = re.compile(rf"(?<!{_LETTER})({_TOKEN})[ ]+({_PARAMETER}(?:\s*,\s*{_PARAMETER})*)")


@dataclass(frozen=True, slots=True)
class Challenge:
    """One way to log in; `scheme` and the names of `parameters` are in lower case."""

    scheme: str
    parameters: Mapping[str, str]


def parse_challenges(headers: Iterable[str]) -> list[Challenge]:
    """Every challenge of the given header values, in the registry's order.

    A value may hold several challenges, and commas both between and within parameters.
    """
    return [
        Challenge(found[1].lower(), _parameters(found[2]))
        for header in headers
        for found in _CHALLENGE.finditer(header)
    ]


def _parameters(text: str) -> dict[str, str]:
    return {
        found[1].lower(): found[3] or re.sub(r"\\(.)", r"\1", found[2] or "")
        for found in re.finditer(_PARAMETER, text)
    }
