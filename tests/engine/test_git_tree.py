from pathlib import Path

import pytest

from engine.errors import BuildFailed
from engine.git.client import context_directory, find_dockerfile
from models.enums import FailureCode


@pytest.fixture
def tree(tmp_path: Path) -> Path:
    root = tmp_path / "tree"
    (root / "demo1" / "deep").mkdir(parents=True)
    (root / "demo2").mkdir()
    (root / "Dockerfile").write_text("FROM scratch\n")
    (root / "demo1" / "Dockerfile").write_text("FROM scratch\n")
    (root / "demo2" / "build.Dockerfile").write_text("FROM scratch\n")
    (root / "shortcut").symlink_to("demo1")
    (root / "outside").symlink_to("../..")
    (root / "etc").symlink_to("/etc")
    (root / "circle").symlink_to("circle")
    (root / "passwd").symlink_to("/etc/passwd")
    return root


@pytest.mark.parametrize(
    ("path", "expected"),
    [
        ("", "."), ("/", "."), (".", "."), ("./", "."), (" / ", "."), ("//", "."),
        ("demo1", "demo1"), ("/demo1/", "demo1"), ("./demo1", "demo1"), ("demo1/./", "demo1"),
        ("demo1//deep", "demo1/deep"), ("shortcut", "demo1"), ("shortcut/deep", "demo1/deep"),
    ],
)  # fmt: skip
def test_a_directory_from_the_root(tree: Path, path: str, expected: str) -> None:
    assert context_directory(tree, path) == (tree / expected).resolve()


@pytest.mark.parametrize(
    "path",
    ["..", "../tree", "demo1/../..", "/..", "outside", "outside/tree", "etc", "circle",
     "missing", "Dockerfile", "demo1/Dockerfile/x", "a\0b", "a" * 5000],
)  # fmt: skip
def test_what_is_no_directory_within_the_tree(tree: Path, path: str) -> None:
    with pytest.raises(BuildFailed, match="contextPath") as failed:
        context_directory(tree, path)
    assert failed.value.code is FailureCode.CONTEXT_INVALID


@pytest.mark.parametrize(
    ("dockerfile", "context", "expected", "remarked"),
    [
        ("Dockerfile", "/", "Dockerfile", False),
        ("Dockerfile", "demo1", "Dockerfile", False),
        ("/demo1/Dockerfile", "demo1", "demo1/Dockerfile", False),
        ("shortcut/Dockerfile", "/", "demo1/Dockerfile", False),
        ("build.Dockerfile", "demo2", "demo2/build.Dockerfile", True),
    ],
)
def test_a_dockerfile_from_the_root_or_from_the_context(
    tree: Path, dockerfile: str, context: str, expected: str, remarked: bool
) -> None:
    found = find_dockerfile(tree, context_directory(tree, context), dockerfile)
    assert found.path == (tree / expected).resolve()
    assert (f"using {expected}" in (found.remark or "")) == remarked


@pytest.mark.parametrize(
    ("dockerfile", "code"),
    [
        ("missing", FailureCode.DOCKERFILE_NOT_FOUND),
        ("demo1", FailureCode.DOCKERFILE_NOT_FOUND),
        ("", FailureCode.DOCKERFILE_NOT_FOUND),
        ("../Dockerfile", FailureCode.CONTEXT_INVALID),
        ("passwd", FailureCode.CONTEXT_INVALID),
        ("etc/hostname", FailureCode.CONTEXT_INVALID),
    ],
)
def test_what_is_no_dockerfile_within_the_tree(
    tree: Path, dockerfile: str, code: FailureCode
) -> None:
    with pytest.raises(BuildFailed, match="dockerfilePath") as failed:
        find_dockerfile(tree, tree.resolve(), dockerfile)
    assert failed.value.code is code
