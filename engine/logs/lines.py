"""Bytes as they come out of a builder become whole lines that are safe to keep and to show."""

import re
from collections.abc import Callable, Iterable

MASKED = "[secret]"
# A line longer than this is cut into several. Long enough for any line a person wrote.
LONGEST_LINE = 1024 * 1024
# Shorter secrets would mask ordinary words, and are no secrets.
SHORTEST_SECRET = 4


def masker(secrets: Iterable[str]) -> Callable[[str], str]:
    """A function that replaces every secret in a text.

    A secret of several lines (a key file) is masked line by line, as a log shows it.
    """
    parts = {
        line.strip()
        for secret in secrets
        for line in secret.splitlines()
        if len(line.strip()) >= SHORTEST_SECRET
    }
    if not parts:
        return lambda text: text
    # The longest first: one secret may begin with another.
    pattern = re.compile("|".join(map(re.escape, sorted(parts, key=len, reverse=True))))
    return lambda text: pattern.sub(MASKED, text)


class LineAssembler:
    """Collects what one step writes until lines are whole.

    A secret that is split across writes is whole again in its line, where it is masked. Bytes
    that are not UTF-8 become U+FFFD, as does NUL, which no PostgreSQL text can hold. Of what
    carriage returns overwrite, a line keeps what a terminal would show at its end.
    """

    def __init__(self, mask: Callable[[str], str]) -> None:
        self._mask = mask
        self._rest = b""

    def add(self, data: bytes) -> str | None:
        """Whole lines so far, joined by newlines, or None when none is whole yet."""
        head, newline, rest = data.rpartition(b"\n")
        if newline:
            whole, self._rest = self._rest + head, rest
            return self._clean(whole)
        self._rest += rest
        return self._cut() if len(self._rest) > LONGEST_LINE else None

    def progress(self) -> str | None:
        """What a progress bar shows now: the last state that its line was overwritten with."""
        shown, carriage_return, rest = self._rest.rpartition(b"\r")
        if not carriage_return or not shown.strip():
            return None
        self._rest = rest
        return self._clean(shown)

    def end(self) -> str | None:
        """The last line, when it did not end with a newline."""
        rest, self._rest = self._rest, b""
        return self._clean(rest) if rest else None

    def _clean(self, data: bytes) -> str:
        text = data.decode(errors="replace").replace("\0", "\ufffd")
        if "\r" in text:
            text = "\n".join(_as_shown(line) for line in text.split("\n"))
        return self._mask(text)

    def _cut(self) -> str:
        """Cut an endless line where no secret can be cut with it: the tail waits for more."""
        keep = 4096
        head, self._rest = self._rest[:-keep], self._rest[-keep:]
        return self._clean(head)


def _as_shown(line: str) -> str:
    """What a terminal would show of a line once carriage returns have overwritten it."""
    states = [state for state in line.split("\r") if state]
    return states[-1] if states else ""
