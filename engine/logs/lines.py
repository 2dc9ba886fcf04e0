"""Bytes as they come out of a builder become whole lines that are safe to keep and to show."""

from engine.logs.masking import Masker

# A line longer than this, in bytes, is cut into several. No line that a person wrote is.
LONGEST_LINE = 1024 * 1024


class LineAssembler:
    """Collects what one step writes until lines are whole; how it was split up does not matter.

    A secret that is split across writes is whole again in its line, where it is masked. Bytes
    that are not UTF-8 become U+FFFD, as does NUL, which no PostgreSQL text can hold. Of what
    carriage returns overwrite, a line keeps what a terminal would show at its end.
    """

    def __init__(self, mask: Masker) -> None:
        self._mask = mask
        self._longest = LONGEST_LINE + mask.reach
        self._rest = bytearray()
        self._shown = False  # all of the line that has not ended was shown already

    def add(self, data: bytes) -> str | None:
        """Whole lines so far, joined by newlines, or None when none is whole yet."""
        if self._shown and data:
            # The newline that ends what was shown begins no line of its own.
            data = data.removeprefix(b"\n")
            self._shown = False
        head, newline, rest = data.rpartition(b"\n")
        if not newline:
            self._rest += rest
            return self._begun() if len(self._rest) > self._longest else None
        whole, self._rest = bytes(self._rest) + head, bytearray(rest)
        if len(whole) > self._longest:
            lines = whole.split(b"\n")
            whole = b"\n".join(piece for line in lines for piece in self._cut(line))
        return self._clean(whole)

    def progress(self) -> str | None:
        """What a progress bar shows now: the last state that its line was overwritten with."""
        shown, carriage_return, rest = self._rest.rpartition(b"\r")
        if not carriage_return or not shown.strip():
            return None
        self._rest = rest
        self._shown = not rest
        return self._clean(shown)

    def end(self) -> str | None:
        """The last line, when it did not end with a newline."""
        rest, self._rest = bytes(self._rest), bytearray()
        return self._clean(b"\n".join(self._cut(rest))) if rest else None

    def _begun(self) -> str | None:
        """What is certain of an endless line; how it goes on is not."""
        *pieces, rest = self._cut(bytes(self._rest))
        self._rest = bytearray(rest)
        return self._clean(b"\n".join(pieces)) if pieces else None

    def _cut(self, line: bytes) -> list[bytes]:
        """A line in pieces, none of which ends within a character or a secret.

        Where a piece ends depends on what follows it within the reach of a secret, and on nothing
        beyond: so it is the same whether the rest is there already or not.
        """
        pieces = []
        while len(line) > self._longest:
            place = self._mask.before(line[: self._longest], _character(line, LONGEST_LINE))
            pieces.append(line[:place])
            line = line[place:]
        return [*pieces, line]

    def _clean(self, data: bytes | bytearray) -> str:
        text = data.decode(errors="replace").replace("\0", "\ufffd")
        if "\r" in text:
            text = "\n".join(_as_shown(line) for line in text.split("\n"))
        return self._mask(text)


def _character(data: bytes, place: int) -> int:
    """The last place, not after `place`, where a UTF-8 character of at most 4 bytes begins."""
    begins = (at for at in range(place, place - 4, -1) if data[at] & 0xC0 != 0x80)
    return next(begins, place)


def _as_shown(line: str) -> str:
    """What a terminal would show of a line once carriage returns have overwritten it."""
    states = [state for state in line.split("\r") if state]
    return states[-1] if states else ""
