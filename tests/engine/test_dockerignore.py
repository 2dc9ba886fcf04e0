"""Docker's ignore patterns: the cases of its documentation and of its own matcher."""

import time
from pathlib import Path

import pytest

from engine.dockerignore import DockerIgnore, find_dockerignore, read_dockerignore
from engine.errors import BuildFailed

# pattern, path, whether it is left out (itself, or a directory above it)
MATCHES = [
    # https://docs.docker.com/build/concepts/context/#matching
    ("*/temp*", "somedir/temporary.txt", True),
    ("*/temp*", "somedir/temp", True),
    ("*/temp*", "temp", False),
    ("*/temp*", "a/b/temp", False),
    ("*/*/temp*", "somedir/subdir/temporary.txt", True),
    ("*/*/temp*", "somedir/temporary.txt", False),
    ("temp?", "tempa", True),
    ("temp?", "tempb", True),
    ("temp?", "temp", False),
    ("temp?", "dir/tempa", False),
    ("/foo/bar", "foo/bar", True),
    ("foo/bar", "foo/bar", True),
    ("**/*.go", "main.go", True),
    ("**/*.go", "a/b/c/main.go", True),
    (".", "anything", False),
    ("/", "anything", False),
    # Where .gitignore would decide otherwise
    ("*.md", "README.md", True),
    ("*.md", "docs/a.md", False),
    ("docs", "docs/a/b", True),
    ("docs", "src/docs/a", False),
    ("docs/", "docs/a", True),
    ("docs/", "docs", True),
    # The way moby's patternmatcher takes them
    ("**", "file", True),
    ("**/", "dir/file", True),
    ("**/**", "dir/file", True),
    ("dir/**", "dir/dir2/file", True),
    ("dir/**", "dir", False),
    ("**/dir", "dir", True),
    ("**/dir", "a/dir/file", True),
    ("**/dir", "xdir", False),
    ("**/dir2/*", "dir/dir2/file", True),
    ("**/dir2/**", "dir/dir2/dir3/file", True),
    ("**file", "dir/file", True),
    ("**file", "dir/otherfile", True),
    ("**/file", "dir/otherfile", False),
    ("**file*", "dir/otherfile", False),
    ("**/file*.txt*", "dir/dir/file.txt", True),
    ("**/**/*.txt", "file.txt", True),
    ("**/**/*.txt2", "dir/dir/file.txt", False),
    ("a**/*.txt", "a/dir/dir/file.txt", True),
    ("a**/*.txt", "a/file.txt", True),
    ("a/*.txt", "a/dir/file.txt", False),
    ("a/*.txt**", "a/file.txt", True),
    ("a**b", "ab", True),
    ("a**b", "ax/yb", False),
    ("a**b", "ax/y/b", True),
    ("a[b-d]e", "ace", True),
    ("a[b-d]e", "aae", False),
    ("a[^b-d]e", "aze", True),
    ("a[^b-d]e", "ace", False),
    (".*", ".foo", True),
    (".*", "foo", False),
    ("abc.def", "abcZdef", False),
    ("abc?def", "abc/def", False),
    ("a*b", "a/b", False),
    ("**/.foo", "bar.foo", False),
    ("a(b)c/def", "a(b)c/def", True),
    ("a.|)$(}+{bc", "a.|)$(}+{bc", True),
    ("dist/*.whl", "dist/proxy-2.4.0rc3.dev36+g08acad9-py3-none-any.whl", True),
    ("a\\*b", "a*b", True),
    ("a\\*b", "axb", False),
    ("[\\]a]", "]", True),
    ("[\\-x]", "-", True),
    ("[\\-x]", "a", False),
    ("a?b", "a☺b", True),
    ("[a-ζ]*", "α", True),
    ("*[a-ζ]", "A", False),
    ("a*b?c*x", "abxbbxdbxebxczzx", True),
    ("a*b?c*x", "abxbbxdbxebxczzy", False),
    ("a*b*c*d*e*/f", "axbxcxdxexxx/f", True),
    ("a*b*c*d*e*/f", "axbxcxdxe/xxx/f", False),
    # Cleaned first
    ("./a//b/../c", "a/c", True),
    ("//a", "a", True),
    ("  a  ", "a", True),
    ("../a", "a", False),
    (" #a", "#a", True),
    ("#a", "#a", False),
]


@pytest.mark.parametrize(("pattern", "path", "ignored"), MATCHES)
def test_one_pattern(pattern: str, path: str, ignored: bool) -> None:
    assert DockerIgnore.parse(pattern).ignores(path) is ignored


# lines, then what stays of the paths
README = ["README.md", "README-secret.md", "LICENSE.md", "docs/a.md", "src/a.py"]


@pytest.mark.parametrize(
    ("text", "kept"),
    [
        ("*.md\n!README.md", ["README.md", "docs/a.md", "src/a.py"]),
        (
            "*.md\n!README*.md\nREADME-secret.md",
            ["README.md", "docs/a.md", "src/a.py"],
        ),
        (
            "*.md\nREADME-secret.md\n!README*.md",
            ["README.md", "README-secret.md", "docs/a.md", "src/a.py"],
        ),
        ("*\n!src", ["src/a.py"]),
        ("**\n!src/*.py", ["src/a.py"]),
        ("docs\n!docs/a.md", README),
        ("! README.md\n*.md", ["docs/a.md", "src/a.py"]),
        ("*\n!/src/", ["src/a.py"]),
        ("# all\n*\n\n  !src\n", ["src/a.py"]),
        ("\ufeff*\r\n!src\r\n", ["src/a.py"]),
        # As docker 28.2 does it: where the directory was not left out, "!docs" does not take back.
        ("*/a.*\n!docs", README[:3]),
        ("*\n*/a.*\n!docs", ["docs/a.md"]),
        ("", README),
    ],
)
def test_the_last_match_wins(text: str, kept: list[str]) -> None:
    ignore = DockerIgnore.parse(text)
    assert [path for path in README if not ignore.ignores(path)] == kept


@pytest.mark.parametrize(
    ("text", "directory", "prunes"),
    [
        ("docs", "docs", True),
        ("docs\n!docs/a", "docs", False),
        ("docs\n!docs/a/b/c", "docs/a", False),
        ("docs\n!docsa/a", "docs", True),
        ("docs\n!**/a", "docs", False),
        ("docs\n!src", "docs", True),
    ],
)
def test_what_need_not_be_walked(text: str, directory: str, prunes: bool) -> None:
    assert DockerIgnore.parse(text).prunes(directory) is prunes


@pytest.mark.parametrize(
    "pattern",
    ["[", "[^", "[^bc", "a[", "[]a]", "[-]", "[x-]", "[-x]", "[a-b-c]", "\\", "!", "! "],
)
def test_a_malformed_pattern_is_named(pattern: str) -> None:
    with pytest.raises(BuildFailed, match=r"^\.dockerignore, line 2: "):
        DockerIgnore.parse(f"fine\n{pattern}\n")


def test_a_pattern_cannot_take_long() -> None:
    hostile = DockerIgnore.parse("**/" * 50 + "*a" * 50 + "b\n" + "*a*" * 60 + "c")
    path = "/".join(["a" * 200] * 20)
    started = time.process_time()
    assert not any(hostile.ignores(f"{path}/{n}") for n in range(20))
    assert time.process_time() - started < 5


def test_too_many_patterns() -> None:
    with pytest.raises(BuildFailed, match="at most 2,000"):
        DockerIgnore.parse("a\n" * 2_001)


def test_the_dockerfiles_own_file_comes_first(tmp_path: Path) -> None:
    assert find_dockerignore(tmp_path, "docker/gpu.Dockerfile") is None
    (tmp_path / ".dockerignore").write_text("a")
    assert find_dockerignore(tmp_path, "docker/gpu.Dockerfile") == ".dockerignore"
    (tmp_path / "docker").mkdir()
    (tmp_path / "docker/gpu.Dockerfile.dockerignore").write_text("b")
    name = find_dockerignore(tmp_path, "./docker/gpu.Dockerfile")
    assert name == "docker/gpu.Dockerfile.dockerignore"
    assert read_dockerignore(tmp_path, name).ignores("b")


def test_a_link_out_is_not_read(tmp_path: Path) -> None:
    (tmp_path / "secret").write_text("[secret")
    (tmp_path / "context").mkdir()
    (tmp_path / "context/.dockerignore").symlink_to("../secret")
    assert find_dockerignore(tmp_path / "context", "Dockerfile") is None


def test_a_file_that_is_not_text(tmp_path: Path) -> None:
    (tmp_path / ".dockerignore").write_bytes(b"caf\xe9")
    with pytest.raises(BuildFailed, match="not UTF-8"):
        read_dockerignore(tmp_path, ".dockerignore")
