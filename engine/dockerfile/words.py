"""Words of an instruction, as BuildKit separates them, with the places where they stand."""

from collections.abc import Iterator
from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Word:
    """A word as it is written, quotes included, and its place in the instruction's text."""

    text: str
    start: int
    end: int


class UnclosedQuote(ValueError):
    """A quotation mark has no partner."""


def split(text: str, escape: str, start: int = 0) -> Iterator[Word]:
    """Split at white space, except where it is quoted or escaped. Raises UnclosedQuote."""
    at = start
    while at < len(text):
        if text[at].isspace():
            at += 1
            continue
        end = _end_of_word(text, escape, at)
        yield Word(text[at:end], at, end)
        at = end


def split_plainly(text: str, start: int = 0) -> Iterator[Word]:
    """Split at white space, whatever else is there, as FROM, COPY and ADD are split."""
    at = start
    for part in text[start:].split():
        at = text.index(part, at)
        yield Word(part, at, at + len(part))
        at += len(part)


def _end_of_word(text: str, escape: str, at: int) -> int:
    quote = ""
    while at < len(text):
        char = text[at]
        if quote:
            if char == quote:
                quote = ""
            elif char == escape and quote == '"':
                at += 1
        elif char in "'\"":
            quote = char
        elif char == escape:
            at += 1
        elif char.isspace():
            break
        at += 1
    if quote:
        raise UnclosedQuote(f"a {quote} is not closed")
    return min(at, len(text))
