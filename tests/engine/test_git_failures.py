"""What goes wrong with a repository, by its code and by its input field."""

import os
from dataclasses import replace
from pathlib import Path

import pytest

from engine.git.client import GitPolicy, GitRequest, check
from models.enums import FailureCode
from tests.fixtures.git import BareRepository, GitServer, failing_fetch


@pytest.mark.parametrize(
    ("url", "ref", "token", "code", "field"),
    [
        ("public/missing.git", "main", None, FailureCode.GIT_NOT_FOUND, "url"),
        ("public/missing.git", "main", "any", FailureCode.GIT_NOT_FOUND, "url"),
        ("private/demo.git", "main", None, FailureCode.GIT_AUTH, "url"),
        ("private/demo.git", "main", "wrong", FailureCode.GIT_AUTH, "token"),
        ("hidden/demo.git", "main", None, FailureCode.GIT_NOT_FOUND, "url"),
        ("hidden/demo.git", "main", "wrong", FailureCode.GIT_NOT_FOUND, "url"),
        ("barred/demo.git", "main", GitServer.token, FailureCode.GIT_AUTH, "token"),
        ("signin/demo.git", "main", None, FailureCode.GIT_NOT_FOUND, "url"),
        ("web/demo.git", "main", None, FailureCode.GIT_NOT_FOUND, "url"),
        ("loop/demo.git", "main", None, FailureCode.GIT_NOT_FOUND, "url"),
        ("public/demo.git", "mian", None, FailureCode.GIT_REF_NOT_FOUND, "ref"),
        ("public/demo.git", "0" * 40, None, FailureCode.GIT_REF_NOT_FOUND, "ref"),
        ("strict/demo.git", "0" * 40, None, FailureCode.GIT_REF_NOT_FOUND, None),
        ("public/demo.git", "0" * 8, None, FailureCode.GIT_REF_NOT_FOUND, "ref"),
        ("public/demo.git", "--upload-pack=touch x", None, FailureCode.GIT_REF_NOT_FOUND, "ref"),
        ("public/demo.git", "--output=x", None, FailureCode.GIT_REF_NOT_FOUND, "ref"),
        ("public/demo.git", "main:refs/heads/x", None, FailureCode.GIT_REF_NOT_FOUND, "ref"),
        ("public/demo.git", "refs/x:refs/heads/x", None, FailureCode.GIT_REF_NOT_FOUND, "ref"),
        ("public/demo.git", "refs/nothing/here", None, FailureCode.GIT_REF_NOT_FOUND, "ref"),
        ("public/demo.git", "main\n+x", None, FailureCode.GIT_REF_NOT_FOUND, "ref"),
        ("busy/demo.git", "main", None, FailureCode.GIT_UNREACHABLE, None),
    ],
)
async def test_what_goes_wrong_has_its_code_and_its_field(
    git_server: GitServer,
    demo_repository: BareRepository,
    git_policy: GitPolicy,
    tmp_path: Path,
    url: str,
    ref: str,
    token: str | None,
    code: FailureCode,
    field: str | None,
) -> None:
    request = GitRequest(url=f"{git_server.base}/{url}", ref=ref, token=token)
    assert (await failing_fetch(request, git_policy, tmp_path / "tree")).code is code
    problems = await check(request, git_policy)
    assert [problem.field for problem in problems] == ([field] if field else [])


async def test_a_private_repository_without_a_token_may_as_well_not_exist(
    git_server: GitServer, demo_repository: BareRepository, git_policy: GitPolicy
) -> None:
    for door, name in (("private", "demo.git"), ("hidden", "demo.git"), ("public", "missing.git")):
        (problem,) = await check(GitRequest(url=git_server.url(name, door), ref="main"), git_policy)
        assert "does not exist, or needs a token" in problem.message


@pytest.mark.parametrize("url", ["--upload-pack=touch x", "-uevil", "ext::sh -c id", "file:///etc"])
async def test_no_option_and_no_other_transport_passes_for_an_address(
    git_policy: GitPolicy, tmp_path: Path, url: str
) -> None:
    request = GitRequest(url=url, ref="main")
    failure = await failing_fetch(request, git_policy, tmp_path / "tree")
    assert failure.code is FailureCode.GIT_NOT_FOUND
    assert [problem.field for problem in await check(request, git_policy)] == ["url"]


async def test_a_missing_ref_names_up_to_five_that_are_close(
    git_server: GitServer, git_policy: GitPolicy
) -> None:
    trees = {f"release-1.{minor}": {"a": "1"} for minor in range(9)}
    git_server.create("releases.git", {"main": {"a": "1"}, "Feature/Login": {"a": "1"}, **trees})
    url = git_server.url("releases.git")
    (problem,) = await check(GitRequest(url=url, ref="realease-1.3"), git_policy)
    names = problem.message.partition("Close to it: ")[2].rstrip(".").split(", ")
    assert (names[0], len(names)) == ("release-1.3", 5)
    (problem,) = await check(GitRequest(url=url, ref="feature/login"), git_policy)
    assert "Close to it: Feature/Login" in problem.message


async def test_an_empty_repository(
    git_server: GitServer, git_policy: GitPolicy, tmp_path: Path
) -> None:
    repository = git_server.create("emptied.git", {"main": {"a": "1"}})
    repository.git("update-ref", "-d", "refs/heads/main")
    for ref in ("main", ""):
        request = GitRequest(url=git_server.url("emptied.git"), ref=ref)
        failure = await failing_fetch(request, git_policy, tmp_path / "tree")
        assert failure.code is FailureCode.GIT_REF_NOT_FOUND
        assert "empty" in failure.message


@pytest.mark.parametrize("limits", [{"max_files": 50}, {"max_bytes": 2_000}])
async def test_what_is_too_large_is_refused_before_it_is_written(
    git_server: GitServer, git_policy: GitPolicy, tmp_path: Path, limits: dict[str, int]
) -> None:
    git_server.create("large.git", {"main": {f"{n}.txt": f"{n}" * 100 for n in range(100)}})
    request = GitRequest(url=git_server.url("large.git"), ref="main")
    failure = await failing_fetch(request, replace(git_policy, **limits), tmp_path / "tree")  # type: ignore[arg-type]  # a dict of int fields alone
    assert failure.code is FailureCode.CONTEXT_TOO_LARGE


async def test_a_transfer_ends_at_the_limit(
    git_server: GitServer, git_policy: GitPolicy, tmp_path: Path
) -> None:
    git_server.create("stream.git", {"main": {"noise": os.urandom(200_000).hex()}})
    request = GitRequest(url=git_server.url("stream.git"), ref="main")
    tight = replace(git_policy, max_bytes=100_000)
    failure = await failing_fetch(request, tight, tmp_path / "tree")
    assert failure.code is FailureCode.CONTEXT_TOO_LARGE
    assert "to transfer" in failure.message


async def test_a_few_kilobytes_that_unfold_to_a_billion_files(
    git_server: GitServer, git_policy: GitPolicy, tmp_path: Path
) -> None:
    repository = git_server.create("bomb.git", {"main": {"a": "1"}})
    tree = repository.git("rev-parse", "main^{tree}")
    for _ in range(9):
        tree = repository.tree({f"d{n}": tree for n in range(10)})
    sha = repository.git("commit-tree", "-m", "Boom.", tree)
    repository.git("update-ref", "refs/heads/main", sha)
    request = GitRequest(url=git_server.url("bomb.git"), ref="main")
    failure = await failing_fetch(request, git_policy, tmp_path / "tree")
    assert failure.code is FailureCode.CONTEXT_TOO_LARGE


async def test_a_tree_that_attacks_the_checkout_is_refused(
    git_server: GitServer, git_policy: GitPolicy, tmp_path: Path
) -> None:
    repository = git_server.create("attack.git", {"main": {"hooks/post-checkout": "#!/bin/sh\n"}})
    tree = repository.tree({".git": repository.git("rev-parse", "main^{tree}")})
    repository.git("update-ref", "refs/heads/main", repository.git("commit-tree", "-m", "x", tree))
    request = GitRequest(url=git_server.url("attack.git"), ref="main")
    failure = await failing_fetch(request, git_policy, tmp_path / "tree")
    assert failure.code is FailureCode.CONTEXT_INVALID
