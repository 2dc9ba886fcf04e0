"""Reading Dockerfiles as BuildKit reads them."""

import os
import time
from pathlib import Path

import pytest

from engine.dockerfile import (
    bases,
    check,
    copies_from_context,
    find_dockerfile,
    frontend,
    pin,
    read_dockerfile,
)
from engine.errors import BuildFailed
from models.enums import FailureCode

HERE = """\
FROM a
RUN <<EOF cat <<-'SECOND' && echo "<<NONE"
FROM not-an-image
EOF
\tFROM nor-this
\tSECOND
COPY <<"END" file /to/
COPY --from=nor-that / /
END
FROM b
"""

# text, the references in order
BASES = {
    "one": ("FROM alpine", ["alpine"]),
    "case": ("from alpine:3 as Base\nFROM base\nfRoM BASE", ["alpine:3"]),
    "scratch": ("FROM scratch\nCOPY --from=scratch / /", []),
    "stages": ("FROM a AS x\nFROM b AS y\nCOPY --from=x / /\nCOPY --from=0 / /", ["a", "b"]),
    "same name": ("FROM alpine AS alpine\nFROM alpine", ["alpine"]),
    "stage used before it is there": ("FROM x\nFROM a AS x", ["x", "a"]),
    "twice": ("FROM a\nFROM a", ["a", "a"]),
    "copy": ("FROM a\nCOPY --chown=1:1 --from=nginx:1 /x /y", ["a", "nginx:1"]),
    "copy from a later stage": ("FROM a\nCOPY --from=l / /\nFROM b AS l", ["a", "b"]),
    "quoted copy": ('FROM a\nCOPY --from="nginx" /x /y', ["a", "nginx"]),
    "add has none": ("FROM a\nADD --from=b / /", ["a"]),
    "mount": (
        "FROM a\nRUN --mount=type=cache,target=/c --mount=type=bind,from=img:2,target=/x cmd",
        ["a", "img:2"],
    ),
    "mount first": ("FROM a\nRUN --mount=from=img,target=/x cmd", ["a", "img"]),
    "quoted mount": ('FROM a\nRUN --mount="type=bind,from=img" cmd', ["a", "img"]),
    "mount from stage": ("FROM a AS s\nRUN --mount=type=bind,from=S,target=/x cmd", ["a"]),
    "not a mount's from": ("FROM a\nRUN --mount=type=bind,source=x,id=from=y cmd from=z", ["a"]),
    "only flags": ("FROM a\nRUN cmd --mount=from=b\nCOPY x --from=c /", ["a"]),
    "onbuild is for children": ("FROM a\nONBUILD COPY --from=b / /", ["a"]),
    "digest": ("FROM a@sha256:" + "0" * 64, ["a@sha256:" + "0" * 64]),
    "port": ("FROM registry.example:5000/team/a:1", ["registry.example:5000/team/a:1"]),
    "comments": ("# FROM x\n  # FROM y\nFROM a # b".replace(" # b", ""), ["a"]),
    "continued": ("FROM \\\n  alpine \\\n  AS x\nFROM b", ["alpine", "b"]),
    "continued within a word": ("FROM al\\\npine", ["alpine"]),
    "comment within": ("FROM a\nRUN x \\\n# FROM y \\\n\n  && z\nFROM b", ["a", "b"]),
    "comment that seems continued": ("# x \\\nFROM a", ["a"]),
    "spaces after the escape": ("FROM a\nRUN x \\  \nFROM b\nFROM c", ["a", "c"]),
    "escaped escape": ("FROM a\nRUN x \\\\\nFROM b", ["a", "b"]),
    "escape directive": ("# escape=`\nFROM a\nRUN c:\\\nFROM b\nRUN x `\nFROM c", ["a", "b"]),
    "directive after a comment": ("# hello\n# escape=`\nFROM `\na".replace("`\na", "a"), ["a"]),
    "bom and crlf": ("\ufeff# escape=\\\r\nFROM \\\r\n a\r\nFROM b\r\n", ["a", "b"]),
    "tabs": ("\tFROM\t a\t as\tx", ["a"]),
    "here-documents": (HERE, ["a", "b"]),
    "no here-document": ('FROM a\nRUN cat <<<x && echo $((1<<2)) "<<E"\nFROM b', ["a", "b"]),
    "here-document in json": ('FROM a\nCOPY ["<<E", "/x"]\nFROM b', ["a", "b"]),
    "open quote": ("FROM a\nRUN echo it's <<E\nFROM b", ["a", "b"]),
    "here-document of onbuild": ("FROM a\nONBUILD RUN <<E\nFROM x\nE\nFROM b", ["a", "b"]),
    "crlf here-document": ("FROM a\r\nRUN <<E\r\nFROM x\r\nE\r\nFROM b", ["a", "b"]),
}


@pytest.mark.parametrize("case", BASES)
def test_bases(case: str) -> None:
    text, expected = BASES[case]
    assert [use.reference for use in bases(text)] == expected


# ARG lines, FROM's word, what it means
EXPANSIONS = [
    ("ARG V=3.11", "python:$V", "python:3.11"),
    ("ARG V=3.11", "python:${V}-slim", "python:3.11-slim"),
    ("ARG V=3.11", "python:$V-slim", "python:3.11-slim"),
    ('ARG V="3 .11"', "python:${V%?*}", "python:3 .1"),
    ("ARG A=x B=$A-y\nARG C=${B}z", "i:$C", "i:x-yz"),
    ("ARG V=1\nARG V=2", "i:$V", "i:2"),
    ("ARG V", "i:${V:-x}", "i:x"),
    ("ARG V", "i:${V-x}", "i:x"),
    ("ARG V=", "i:${V-x}y", "i:y"),
    ("ARG V=", "i:${V:-x}", "i:x"),
    ("ARG V=1", "i:${V:-x}", "i:1"),
    ("ARG V=1", "i${V:+:new}", "i:new"),
    ("ARG V", "i${V:+:new}", "i"),
    ("ARG V=", "i${V+:new}", "i:new"),
    ("ARG V=1", "i:${V:?needed}", "i:1"),
    ("ARG V=1\nARG W=2", "i:${X:-${V}${Y:-$W}}", "i:12"),
    ("ARG V=3.11.4", "i:${V%.*}", "i:3.11"),
    ("ARG V=3.11.4", "i:${V%%.*}", "i:3"),
    ("ARG V=v3.11", "i:${V#v}", "i:3.11"),
    ("ARG V=a/b/c", "${V##*/}", "c"),
    ("ARG V=a_b_c", "${V/_/-}:1", "a-b_c:1"),
    ("ARG V=a_b_c", "${V//_/-}:1", "a-b-c:1"),
    ("ARG V=1", "'i:$V'", "i:$V"),
    ("ARG V=1", '"i:$V"', "i:1"),
    ("ARG V=1", "i:\\$V", "i:$V"),
    ("", "i:$TARGETARCH-$TARGETOS", "i:amd64-linux"),
    ("ARG TARGETARCH", "i:$TARGETARCH", "i:amd64"),
    ("ARG TARGETARCH=x", "i:$TARGETARCH", "i:x"),
    ("", "i:${BUILDPLATFORM//\\//-}", "i:linux-amd64"),
]


@pytest.mark.parametrize(("arguments", "word", "reference"), EXPANSIONS)
def test_variables(arguments: str, word: str, reference: str) -> None:
    assert [use.reference for use in bases(f"{arguments}\nFROM {word}")] == [reference]


def test_a_builds_arguments_win_over_defaults() -> None:
    text = "ARG V=1\nARG W\nFROM a:$V-$W-$X"
    given = {"V": "2", "W": "3", "X": "not declared"}
    assert [use.reference for use in bases(text, given)] == ["a:2-3-"]


def test_platforms() -> None:
    text = "FROM --platform=$BUILDPLATFORM a AS x\nFROM --platform=linux/amd64 b\nFROM c"
    assert [use.platform for use in bases(text, platform="linux/arm/v7")] == [
        "linux/arm/v7",
        "linux/amd64",
        None,
    ]
    assert bases("FROM a:$TARGETARCH$TARGETVARIANT", platform="linux/arm/v7")[0].reference == (
        "a:armv7"
    )


def test_arguments_of_stages_are_not_seen() -> None:
    with pytest.raises(BuildFailed, match="names no image"):
        bases("FROM a\nARG V=b\nFROM $V")


def test_a_use_says_where_it_is() -> None:
    text = "# 注释\nFROM a\n\nRUN x \\\n  y\nCOPY --from=b / /\n"
    uses = bases(text)
    assert [(use.instruction, use.line) for use in uses] == [("FROM", 2), ("COPY", 6)]
    assert [text[use.start : use.end] for use in uses] == ["a", "b"]


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("FROM", "line 1: FROM needs an image"),
        ("\nFROM a b", "line 2: FROM needs an image"),
        ("FROM a AS", "line 1: FROM needs an image"),
        ("FROM a AS 1x", "line 1: the stage's name '1x'"),
        ("FROM $X", "line 1: FROM \\$X names no image"),
        ("FROM a\nFROM b:${X", "line 2: .* not closed"),
        ("FROM a:${X:?set-X}", "line 1: .*set-X"),
        ("FROM a:${}", "line 1: "),
        ("FROM a:${X~y}", "line 1: .*unknown modifier"),
        ("FROM 'a", "line 1: .*not closed"),
        ("ARG V='a\nFROM a", "line 1: .*not closed"),
        ("FROM a\nCOPY --from=$X / /", "line 2: 'from=\\$X' cannot have variables"),
        ("FROM a\nRUN --mount=from=${X} y", "line 2: .*cannot have variables"),
        ("FROM a\nRUN <<E\nx\n", "line 2: the here-document <<E has no end"),
        ("# escape=x\nFROM a", "line 1: 'escape' must be"),
        ("# escape=`\n# escape=`\nFROM a", "line 2: the directive 'escape' is there twice"),
        ('FROM a\nCOPY --from="b / /', "line 2: .*not closed"),
    ],
)
def test_malformed(text: str, message: str) -> None:
    with pytest.raises(BuildFailed, match=message) as caught:
        bases(text)
    assert caught.value.code is FailureCode.DOCKERFILE_INVALID
    assert check(text)


@pytest.mark.parametrize(
    "text",
    [
        "ARG A=xxxxxxxxxx\n" + "".join("ARG A=$A$A$A$A\n" for _ in range(30)) + "FROM $A",
        "FROM " + "${a:-" * 20_000 + "x",
        f"ARG A={'a' * 4000}\nFROM ${{A%%{'*a' * 40}b}}",
        "#syntax=" + " " * 200_000 + "\nFROM a AS 1",
        "#syntax=a" + " \t" * 200_000 + "b\nFROM a AS 1",
        "FROM a AS 1\nRUN " + "\\ " * 200_000,
        "FROM a AS 1\n" + "RUN x \\\n" * 60_000,
        "FROM a AS 1\nRUN " + "<<E " * 50_000,
    ],
    ids=["laughs", "nested", "pattern", "spaces", "tail", "escapes", "continued", "here"],
)
def test_hostile_text_cannot_take_long(text: str) -> None:
    started = time.process_time()
    with pytest.raises(BuildFailed):
        bases(text)
    assert time.process_time() - started < 5


# Pinning

A, B = "sha256:" + "a" * 64, "sha256:" + "b" * 64

PINS = {
    "plain": ("FROM a\nRUN x", f"FROM a@{A}\nRUN x"),
    "tag": ("FROM b:1 AS z", f"FROM b:1@{B} AS z"),
    "variable": ("ARG V=1\nFROM b:$V # x".replace(" # x", ""), f"ARG V=1\nFROM b:1@{B}"),
    "quoted": ('FROM "a"', f"FROM a@{A}"),
    "others stay": ("FROM c\nFROM a AS c\nFROM c", f"FROM c\nFROM a@{A} AS c\nFROM c"),
    "stage of the same name": ("FROM a AS a\nFROM a", f"FROM a@{A} AS a\nFROM a"),
    "digest stays": (f"FROM a@{B}", f"FROM a@{B}"),
    "copy": ("FROM a\nCOPY --from='b:1' a a", f"FROM a@{A}\nCOPY --from='b:1@{B}' a a"),
    "mount": (
        "FROM c\nRUN --mount=type=bind,from=b:1,target=/a a",
        f"FROM c\nRUN --mount=type=bind,from=b:1@{B},target=/a a",
    ),
    "bytes": (
        "\ufeff# a 镜像\r\nfrom \\\r\n# a\r\n\ta \\\r\n  as  x\r\n\r\nRUN a <<a\r\na\r\n",
        f"\ufeff# a 镜像\r\nfrom \\\r\n# a\r\n\ta@{A} \\\r\n  as  x\r\n\r\nRUN a <<a\r\na\r\n",
    ),
    "platform": ("FROM --platform=a a", f"FROM --platform=a a@{A}"),
    "here-document": ("FROM c\nRUN <<E\nFROM a\nE\n", "FROM c\nRUN <<E\nFROM a\nE\n"),
}


@pytest.mark.parametrize("case", PINS)
def test_pin(case: str) -> None:
    text, expected = PINS[case]
    digests = {"a": A, "b:1": B, f"a@{B}": A}
    pinned = pin(text, digests)
    assert pinned == expected
    assert pin(pinned, digests) == pinned


def test_pin_with_a_builds_arguments() -> None:
    text = "ARG V=2\nFROM b:$V"
    assert pin(text, {"b:1": B}, {"V": "1"}) == f"ARG V=2\nFROM b:1@{B}"


def test_frontend() -> None:
    assert frontend("# syntax=docker/dockerfile:1\nFROM a") == "docker/dockerfile:1"
    assert frontend("#Syntax = x/y \nFROM a") == "x/y"
    assert frontend("FROM a\n# syntax=x") is None


# What needs a context

COPIES = [
    ("COPY a b /to/", [("COPY", ("a", "b"))]),
    ("copy --chmod=755 a /to", [("COPY", ("a",))]),
    ('COPY ["a b", "c", "/to"]', [("COPY", ("a b", "c"))]),
    ("COPY [a b", [("COPY", ("[a",))]),
    ("COPY --from=x a /to", []),
    ("COPY <<E /to\nx\nE", []),
    ("COPY <<E a /to\nx\nE", [("COPY", ("a",))]),
    ("ADD https://example.com/x.tar /to", []),
    ("ADD git@example.com:a/b.git /to", []),
    ("ADD --checksum=x http://example.com/x y /to", [("ADD", ("y",))]),
    ("COPY https://example.com/x /to", [("COPY", ("https://example.com/x",))]),
    ("RUN --mount=type=bind,source=req.txt,target=/r x", [("RUN", ("req.txt",))]),
    ("RUN --mount=target=/src x", [("RUN", (".",))]),
    ("RUN --mount=type=bind,from=x,source=a,target=/r x", []),
    ("RUN --mount=type=cache,target=/c COPY a b", []),
    ("ONBUILD COPY a b", []),
    ("RUN <<E\nCOPY a b\nE", []),
]


@pytest.mark.parametrize(("line", "expected"), COPIES)
def test_copies_from_context(line: str, expected: list[tuple[str, tuple[str, ...]]]) -> None:
    uses = copies_from_context(f"FROM a\n\n{line}\n")
    assert [(use.instruction, use.sources) for use in uses] == expected
    assert {use.line for use in uses} <= {3}


def test_a_copy_without_a_destination() -> None:
    with pytest.raises(BuildFailed, match="line 2: COPY needs a source and a destination"):
        copies_from_context("FROM a\nCOPY a")


# Checking

CHECKS = [
    ("", ["is empty"]),
    ("\n# only\n  \n", ["is empty"]),
    ("ARG V=1\n", ["has no FROM"]),
    ("RUN x\nFROM a", ["line 1: RUN stands before the first FROM"]),
    ("RUN x", ["line 1: RUN stands before"]),
    ("FROM a\nRNU x", ["line 2: unknown instruction 'RNU'. Did you mean RUN?"]),
    ("FORM a\nRUN x", ["line 1: unknown instruction 'FORM'. Did you mean FROM?", "line 2: RUN"]),
    ("FROM a\n12345 x", ["line 2: unknown instruction '12345'."]),
    ("FROM a\nRUN\nCMD", ["line 2: RUN has no arguments", "line 3: CMD has no arguments"]),
    ("FROM a\nCOPY a\nFROM", ["line 3: FROM has no arguments"]),
    ("FROM a\nCOPY a\nFROM b c", ["line 3: FROM needs", "line 2: COPY needs"]),
    ("FROM a\nRUN <<E\nx", ["line 2: the here-document"]),
    ("FROM a\n" + "#" * 512 * 1024, ["512.0 KiB; at most"]),
    ("ARG V\nFROM a\nRUN <<E\nRNU\nE\nmaintainer x\nHEALTHCHECK NONE", []),
    ("FROM scratch\nCOPY . /\nONBUILD RUN x", []),
]


@pytest.mark.parametrize(("text", "expected"), CHECKS)
def test_check(text: str, expected: list[str]) -> None:
    problems = check(text)
    assert len(problems) == len(expected)
    for problem, part in zip(problems, expected, strict=True):
        assert part in problem


def test_check_with_a_builds_arguments() -> None:
    assert check("ARG V\nFROM $V")
    assert check("ARG V\nFROM $V", {"V": "a"}) == []


# Finding


@pytest.fixture
def tree(tmp_path: Path) -> Path:
    root = tmp_path / "context"
    for name in ("Dockerfile", "docker/gpu.Dockerfile", "a/Dockerfile.dev", "a/x.dockerignore"):
        (root / name).parent.mkdir(parents=True, exist_ok=True)
        (root / name).write_text("FROM scratch")
    (tmp_path / "outside").write_text("FROM scratch")
    (root / "inner").symlink_to("docker/gpu.Dockerfile")
    (root / "leaves").symlink_to("../outside")
    (root / "up").symlink_to("..")
    (root / "loop").symlink_to("loop")
    return root


@pytest.mark.parametrize(
    "path", ["Dockerfile", "./Dockerfile", "docker//gpu.Dockerfile", "inner", "a/Dockerfile.dev"]
)
def test_find_dockerfile(tree: Path, path: str) -> None:
    assert find_dockerfile(tree, path) == tree / os.path.normpath(path)


@pytest.mark.parametrize(
    ("path", "message"),
    [
        ("/Dockerfile", "must be relative"),
        ("../outside", "must be relative"),
        ("docker/../../outside", "must be relative"),
        ("", "must be relative"),
        ("a\0b", "must be relative"),
        ("leaves", "link out of"),
        ("up/outside", "link out of"),
        ("docker", "no Dockerfile at 'docker'"),
        ("loop", "no Dockerfile at 'loop'"),
        ("n" * 5000, "no Dockerfile at"),
        (
            "docker/Dockerfile",
            "The build context has: Dockerfile, a/Dockerfile.dev, docker/gpu.Dockerfile.",
        ),
    ],
)
def test_no_dockerfile_there(tree: Path, path: str, message: str) -> None:
    with pytest.raises(BuildFailed) as caught:
        find_dockerfile(tree, path)
    assert caught.value.code is FailureCode.DOCKERFILE_NOT_FOUND
    assert message in caught.value.message


def test_at_most_five_are_named(tmp_path: Path) -> None:
    for n in range(7):
        (tmp_path / f"Dockerfile.{n}").touch()
    with pytest.raises(BuildFailed) as caught:
        find_dockerfile(tmp_path, "Dockerfile")
    assert caught.value.message.count("Dockerfile.") == 5


def test_none_is_there(tmp_path: Path) -> None:
    with pytest.raises(BuildFailed, match="No other Dockerfile"):
        find_dockerfile(tmp_path, "Dockerfile")


def test_read_dockerfile(tmp_path: Path) -> None:
    path = tmp_path / "Dockerfile"
    path.write_bytes(b"FROM a\r\n")
    assert read_dockerfile(path) == "FROM a\r\n"
    path.write_bytes(b"FROM caf\xe9")
    with pytest.raises(BuildFailed, match="not UTF-8"):
        read_dockerfile(path)
    path.write_bytes(b"#" * (512 * 1024 + 1))
    with pytest.raises(BuildFailed, match="at most 512"):
        read_dockerfile(path)
