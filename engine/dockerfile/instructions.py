"""A Dockerfile as a list of instructions, each knowing where its characters stand in the file.

Follows BuildKit's parser: directives, comments, continued lines and here-documents.
"""

import re
from array import array
from dataclasses import dataclass, field

from engine.dockerfile.problem import invalid
from engine.dockerfile.words import UnclosedQuote, Word, split

_DIRECTIVE = re.compile(r"#\s*([a-zA-Z][a-zA-Z0-9]*)\s*=\s*(\S.*)")
_DIRECTIVES = {"syntax", "escape", "check"}
_HERE_DOCUMENT = re.compile(r"\d*<<(-?)([^<]+)")
_TAKE_HERE_DOCUMENTS = {"ADD", "COPY", "RUN"}


@dataclass(frozen=True, slots=True)
class HereDocument:
    """`<<NAME` or `<<-NAME` (`strip_tabs`), whose body is not part of the instruction's text."""

    name: str
    strip_tabs: bool


@dataclass(frozen=True, slots=True)
class Instruction:
    """One instruction with its lines joined; `line` is where it starts, counted from 1."""

    line: int
    name: str
    text: str
    flags: tuple[Word, ...]
    arguments_at: int
    here_documents: tuple[HereDocument, ...] = ()
    _origins: "array[int]" = field(default_factory=lambda: array("I"), repr=False)

    @property
    def arguments(self) -> str:
        """What follows the name and the flags."""
        return self.text[self.arguments_at :]

    def source_span(self, start: int, end: int) -> tuple[int, int]:
        """Where the characters from `start` to `end` of `text` stand in the file."""
        return self._origins[start], self._origins[end - 1] + 1


@dataclass(frozen=True, slots=True)
class Dockerfile:
    """A parsed file: its instructions, its directives, and the character that escapes."""

    instructions: tuple[Instruction, ...]
    directives: dict[str, str]
    escape: str


def parse(text: str) -> Dockerfile:
    """Read a Dockerfile. Raises BuildFailed (DOCKERFILE_INVALID) with the line."""
    return _Reader(text).dockerfile()


def here_document(word: str) -> HereDocument | None:
    """Tell whether a word announces a here-document, as `<<EOF`, `<<-"EOF"` or `3<<EOF` do."""
    found = _HERE_DOCUMENT.fullmatch(word)
    name = re.sub(r"['\"]", "", found[2]) if found else ""
    return HereDocument(name, bool(found[1])) if found and name else None


class _Reader:
    def __init__(self, text: str) -> None:
        self._lines: list[tuple[int, str]] = []
        offset = 0
        for line in text.split("\n"):
            self._lines.append((offset, line.removesuffix("\r")))
            offset += len(line) + 1
        if text.startswith("\ufeff"):
            self._lines[0] = (1, self._lines[0][1].removeprefix("\ufeff"))
        self._next = 0
        self._directives = self._read_directives()
        self._escape = self._directives.get("escape", "\\")
        escape = re.escape(self._escape)
        # Two escape characters at the end are an escaped one, not a continued line.
        self._continued = re.compile(rf"(?<!{escape}){escape}[ \t]*$")

    def dockerfile(self) -> Dockerfile:
        instructions = []
        while self._next < len(self._lines):
            instruction = self._read_instruction()
            if instruction is not None:
                instructions.append(instruction)
        return Dockerfile(tuple(instructions), self._directives, self._escape)

    def _read_directives(self) -> dict[str, str]:
        """`# name=value` lines count only before everything else, comments included."""
        directives: dict[str, str] = {}
        for number, (_, line) in enumerate(self._lines, start=1):
            found = _DIRECTIVE.fullmatch(line.strip())
            if not found or (name := found[1].lower()) not in _DIRECTIVES:
                break
            if name in directives:
                raise invalid(number, f"the directive '{name}' is there twice.")
            if name == "escape" and found[2] not in ("\\", "`"):
                raise invalid(number, f"'escape' must be \\ or `, not {found[2]}.")
            directives[name] = found[2]
        return directives

    def _read_instruction(self) -> Instruction | None:
        line_number = self._next + 1
        text, origins = self._read_joined_line()
        found = re.match(r"\S+", text)
        if not found:
            return None
        name = found[0].upper()
        flags, arguments_at = self._flags(text, found.end(), line_number)
        documents = self._announced(name, text, arguments_at)
        for document in documents:
            self._skip_body(document, line_number)
        return Instruction(line_number, name, text, flags, arguments_at, documents, origins)

    def _read_joined_line(self) -> tuple[str, "array[int]"]:
        """The next line and those that continue it, with the place of every character."""
        text = ""
        origins = array("I")
        continued, first = True, True
        while continued and self._next < len(self._lines):
            offset, line = self._lines[self._next]
            self._next += 1
            # Comments and empty lines do not end a continued line; alone, they mean nothing.
            if not (stripped := line.lstrip()) or stripped.startswith("#"):
                continued = not first
                continue
            if first:
                offset, line = offset + len(line) - len(stripped), stripped
            found = self._continued.search(line)
            continued, first = found is not None, False
            piece = line[: found.start()] if found else line
            text += piece
            origins.extend(range(offset, offset + len(piece)))
        return text, origins

    def _flags(self, text: str, at: int, line: int) -> tuple[tuple[Word, ...], int]:
        flags = []
        end = at
        try:
            for word in split(text, self._escape, at):
                if not word.text.startswith("--"):
                    break
                end = word.end
                if word.text == "--":
                    break
                flags.append(word)
        except UnclosedQuote as error:
            # After the flags, quotes are the business of whatever runs the instruction.
            if text[end:].lstrip().startswith("--"):
                raise invalid(line, f"{error}.") from None
        return tuple(flags), end

    def _announced(self, name: str, text: str, at: int) -> tuple[HereDocument, ...]:
        if name == "ONBUILD":
            inner = text[at:].split(maxsplit=1)
            name = inner[0].upper() if inner else ""
        if name not in _TAKE_HERE_DOCUMENTS or "<<" not in text:
            return ()
        try:
            words = [here_document(word.text) for word in split(text, self._escape, at)]
        except UnclosedQuote:
            return ()
        return tuple(document for document in words if document)

    def _skip_body(self, document: HereDocument, line: int) -> None:
        while self._next < len(self._lines):
            body = self._lines[self._next][1]
            self._next += 1
            if (body.lstrip("\t") if document.strip_tabs else body) == document.name:
                return
        raise invalid(line, f"the here-document <<{document.name} has no end.")
