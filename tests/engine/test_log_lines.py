"""Whatever a step writes, in whatever pieces, becomes the same whole, clean, masked lines."""

import itertools
from collections.abc import Iterable

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from engine.logs import lines as lines_module
from engine.logs.lines import LONGEST_LINE, LineAssembler
from engine.logs.masking import MASKED, Masker

SECRET = "s3cr3t-pässword"

# Output that has everything in it that is hard: carriage returns, colours, broken and cut UTF-8,
# NUL, and the secret, whole and in part.
OUTPUTS = st.lists(
    st.one_of(
        st.binary(max_size=20),
        st.text(max_size=20).map(str.encode),
        st.sampled_from(
            [
                b"\n",
                b"\r",
                b"\r\n",
                b"\0",
                b"\x1b[31mred\x1b[0m",
                SECRET.encode(),
                SECRET[:6].encode(),
            ]
        ),
    ),
    max_size=40,
).map(b"".join)
CUTS = st.lists(st.integers(0, 800) | st.integers(0, 40_000), max_size=20)


def pieces_of(output: bytes, cuts: list[int]) -> list[bytes]:
    edges = [0, *sorted(min(cut, len(output)) for cut in cuts), len(output)]
    return [output[start:end] for start, end in itertools.pairwise(edges)]


def read(pieces: Iterable[bytes]) -> list[str]:
    """The lines of what a step wrote."""
    assembler = LineAssembler(Masker([SECRET]))
    texts = [assembler.add(piece) for piece in pieces] + [assembler.end()]
    return [line for text in texts if text is not None for line in text.split("\n")]


@given(OUTPUTS, CUTS)
@example(SECRET.encode() + b"\n", [3, 5, 9])
@example("ä\n".encode(), [1])
def test_how_it_was_split_makes_no_difference(output: bytes, cuts: list[int]) -> None:
    assert read(pieces_of(output, cuts)) == read([output])


@given(OUTPUTS, CUTS)
def test_lines_are_what_was_printed_without_the_secret(output: bytes, cuts: list[int]) -> None:
    found = read(pieces_of(output, cuts))
    assert len(found) == output.count(b"\n") + (0 if output.endswith(b"\n") or not output else 1)
    text = "\n".join(found)
    assert SECRET not in text
    assert "\0" not in text
    assert "\r" not in text


@given(
    st.lists(st.text(st.characters(exclude_categories=["Cs"], exclude_characters="\0\r\n:@"))), CUTS
)
def test_plain_text_stays_as_it_is(printed: list[str], cuts: list[int]) -> None:
    output = "".join(f"{line}\n" for line in printed).encode()
    assert read(pieces_of(output, cuts)) == printed


@pytest.mark.parametrize(
    ("printed", "shown"),
    [
        (b"10%\r50%\r100%\n", "100%"),
        (b"\r10%\r100%", "100%"),
        (b"windows\r\n", "windows"),
        (b"\x1b[1;32mgreen\x1b[0m\n", "\x1b[1;32mgreen\x1b[0m"),
        (b"broken \xff\xfe\n", "broken \ufffd\ufffd"),
        (b"nul \0\n", "nul \ufffd"),
        (b"\r\n", ""),
    ],
)
def test_a_line_is_what_a_terminal_would_show(printed: bytes, shown: str) -> None:
    assert read([printed]) == [shown]


def test_a_line_of_one_mebibyte_stays_whole() -> None:
    line = "x" * LONGEST_LINE
    assert read([line[:5].encode(), line[5:].encode(), b"\nnext\n"]) == [line, "next"]


@given(
    st.lists(st.sampled_from(["x" * 5000, "ä" * 3000, SECRET, "https://u:p@h", "\n"]), max_size=30),
    CUTS,
)
def test_longer_lines_are_cut_alike_and_never_in_a_secret(
    parts: list[str], cuts: list[int]
) -> None:
    output = "".join(parts).encode()
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(lines_module, "LONGEST_LINE", 64)
        whole, split = read([output]), read(pieces_of(output, cuts))
    assert split == whole
    text = "".join(whole)
    assert "\ufffd" not in text
    assert text == Masker([SECRET])("".join(parts)).replace("\n", "")


def test_a_secret_across_the_cut_of_a_line_without_end_is_masked() -> None:
    for before in range(LONGEST_LINE - len(SECRET.encode()) - 2, LONGEST_LINE + 2, 3):
        output = b"x" * before + SECRET.encode() + b"y" * LONGEST_LINE
        text = "".join(read(pieces_of(output, [before + 4, LONGEST_LINE, LONGEST_LINE + 5000])))
        assert SECRET not in text
        assert text == "x" * before + MASKED + "y" * LONGEST_LINE


def test_many_small_writes_of_one_line_take_no_time() -> None:
    assert read([b"ab"] * 300_000) == ["ab" * 300_000]


def test_progress_shows_the_last_state_once() -> None:
    assembler = LineAssembler(Masker())
    assert assembler.progress() is None
    assert assembler.add(b"10%\r20%") is None
    assert assembler.progress() == "10%"
    assert assembler.progress() is None
    assert assembler.add(b"\r30%\r") is None
    assert assembler.progress() == "30%"
    assert assembler.add(b"\nnext\n") == "next"


def test_the_newline_after_what_was_shown_is_no_empty_line() -> None:
    assembler = LineAssembler(Masker())
    assembler.add(b"windows\r")
    assert assembler.progress() == "windows"
    assert assembler.add(b"\n") is None
    assert assembler.add(b"\n") == ""
    assert assembler.end() is None
