"""Fetching: which commit is meant, and what arrives."""

from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path

import pytest

from engine.git.client import GitFetch, GitPolicy, GitRequest, fetch
from engine.git.progress import Progress
from engine.git.refs import RefKind
from tests.fixtures.git import BareRepository, Gitlink, GitServer, Log


async def fetched(
    server: GitServer, policy: GitPolicy, into: Path, ref: str, door: str = "public"
) -> GitFetch:
    request = GitRequest(url=server.url("demo.git", door), ref=ref)
    found = await fetch(request, policy, into, Log())
    assert not (into / ".git").exists()
    assert not list(into.parent.glob(".git-*"))
    return found


@pytest.mark.parametrize("door", ["public", "plain", "strict"])
@pytest.mark.parametrize(
    ("ref", "kind", "name"),
    [
        ("main", RefKind.BRANCH, "refs/heads/main"),
        ("refs/heads/main", RefKind.BRANCH, "refs/heads/main"),
        ("feature/login/form", RefKind.BRANCH, "refs/heads/feature/login/form"),
        ("v1.0", RefKind.TAG, "refs/tags/v1.0"),
        ("", RefKind.BRANCH, "HEAD"),
    ],
)
async def test_branches_and_tags(
    git_server: GitServer,
    demo_repository: BareRepository,
    git_policy: GitPolicy,
    tmp_path: Path,
    door: str,
    ref: str,
    kind: RefKind,
    name: str,
) -> None:
    found = await fetched(git_server, git_policy, tmp_path / "tree", ref, door)
    assert (found.kind, found.ref) == (kind, name)
    assert found.commit.sha == demo_repository.sha(name)
    assert (tmp_path / "tree" / "new.txt").exists() == ("feature" in ref)


@pytest.mark.parametrize("door", ["public", "plain", "strict"])
@pytest.mark.parametrize("length", [40, 9])
@pytest.mark.parametrize("name", ["main", "main~1"])
async def test_commits_full_and_short_new_and_old(
    git_server: GitServer,
    demo_repository: BareRepository,
    git_policy: GitPolicy,
    tmp_path: Path,
    door: str,
    length: int,
    name: str,
) -> None:
    sha = demo_repository.sha(name)
    found = await fetched(git_server, git_policy, tmp_path / "tree", sha[:length].upper(), door)
    assert (found.kind, found.commit.sha) == (RefKind.COMMIT, sha)
    first = (tmp_path / "tree" / "Dockerfile").read_text() == "FROM scratch\n# first\n"
    assert first == (name == "main~1")


async def test_a_ref_beside_branches_and_tags(
    git_server: GitServer, demo_repository: BareRepository, git_policy: GitPolicy, tmp_path: Path
) -> None:
    demo_repository.git("update-ref", "refs/merge-requests/7/head", "main~1")
    found = await fetched(git_server, git_policy, tmp_path / "tree", "refs/merge-requests/7/head")
    assert (found.kind, found.commit.sha) == (RefKind.OTHER, demo_repository.sha("main~1"))


async def test_the_commit_is_described(
    git_server: GitServer, demo_repository: BareRepository, git_policy: GitPolicy, tmp_path: Path
) -> None:
    commit = (await fetched(git_server, git_policy, tmp_path / "tree", "release-1.0")).commit
    assert commit.author == "Ada Löw <ada@example.com>"
    assert commit.message == "A commit.\n\nMore about it."
    assert commit.committed_at == datetime.fromtimestamp(1700000000, UTC)
    assert commit.committed_at.tzinfo is UTC


@pytest.mark.parametrize(
    "tail", ["/-/tree/feature/login/form/demo1", "/src/branch/feature/login/form"]
)
async def test_a_page_s_address_names_the_branch(
    git_server: GitServer,
    demo_repository: BareRepository,
    git_policy: GitPolicy,
    tmp_path: Path,
    tail: str,
) -> None:
    url = git_server.url("demo.git") + tail
    found = await fetch(GitRequest(url=url), git_policy, tmp_path / "tree", Log())
    assert found.ref == "refs/heads/feature/login/form"
    chosen = GitRequest(url=url, ref="main")  # what is said outright wins
    assert (await fetch(chosen, git_policy, tmp_path / "other", Log())).ref == "refs/heads/main"


async def test_the_suffix_may_be_left_out_and_redirects_are_followed(
    git_server: GitServer, demo_repository: BareRepository, git_policy: GitPolicy, tmp_path: Path
) -> None:
    for index, url in enumerate([git_server.url("demo"), git_server.url("demo.git", "moved")]):
        await fetch(GitRequest(url=url, ref="main"), git_policy, tmp_path / str(index), Log())
        assert (tmp_path / str(index) / "demo1" / "app.py").exists()


async def test_only_the_needed_commit_travels(
    git_server: GitServer, demo_repository: BareRepository, git_policy: GitPolicy, tmp_path: Path
) -> None:
    log = Log()
    sha = demo_repository.sha("main")
    request = GitRequest(url=git_server.url("demo.git"), ref=sha)
    await fetch(request, git_policy, tmp_path / "tree", log)
    objects = int(demo_repository.git("rev-list", "--objects", "--count", "--no-walk", sha))
    assert f"({objects}/{objects})" in log.text
    assert f"Commit {sha}: 9 files" in log.text


async def test_a_branch_wins_over_a_tag_of_its_name(
    git_server: GitServer, git_policy: GitPolicy, tmp_path: Path
) -> None:
    git_server.create("same.git", {"both": {"a": "1"}, "other": {"b": "2"}}, {"both": "other"})
    request = GitRequest(url=git_server.url("same.git"), ref="both")
    assert (await fetch(request, git_policy, tmp_path / "tree", Log())).kind is RefKind.BRANCH
    tag = replace(request, ref="refs/tags/both")
    assert (await fetch(tag, git_policy, tmp_path / "tag", Log())).kind is RefKind.TAG
    assert (tmp_path / "tag" / "b").exists()


async def test_a_repository_with_the_other_hash(
    git_server: GitServer, git_policy: GitPolicy, tmp_path: Path
) -> None:
    path = git_server.root / "sha256.git"
    repository = git_server.create("first.git", {"main": {"a": "1"}})
    repository.git("init", "--quiet", "--bare", "--object-format=sha256", str(path))
    modern = BareRepository(path)
    sha = modern.commit("main", {"a": "1"})
    assert len(sha) == 64
    for index, ref in enumerate(["main", sha, sha[:50]]):
        request = GitRequest(url=git_server.url("sha256.git"), ref=ref)
        found = await fetch(request, git_policy, tmp_path / str(index), Log())
        assert found.commit.sha == sha


async def test_the_log_says_what_is_left_out(
    git_server: GitServer, git_policy: GitPolicy, tmp_path: Path, demo_repository: BareRepository
) -> None:
    log = Log()
    request = GitRequest(url=git_server.url("demo.git"), ref="main")
    await fetch(request, git_policy, tmp_path / "tree", log)
    assert "point out of the repository: 2 (links/outside, links/root)" in log.text
    assert (tmp_path / "tree" / "links" / "outside").is_symlink()
    git_server.create(
        "parts.git",
        {
            "main": {
                "part": Gitlink("1" * 40),
                ".gitattributes": "*.bin filter=lfs\n",
                "a.bin": POINTER,
            }
        },
    )
    parts = GitRequest(url=git_server.url("parts.git"), ref="main")
    await fetch(parts, git_policy, tmp_path / "parts", log)
    assert "Submodules, which this service does not fetch: 1." in log.text
    assert "Files in Git LFS, which this service does not fetch: 1." in log.text
    assert (tmp_path / "parts" / "a.bin").read_text() == POINTER


POINTER = f"version https://git-lfs.github.com/spec/v1\noid sha256:{'0' * 64}\nsize 5\n"


async def test_progress_is_throttled() -> None:
    log, now = Log(), [0.0]
    progress = Progress(log, clock=lambda: now[0])
    for percent in range(101):
        await progress(f"Receiving objects: {percent:3d}% ({percent}/100)")
    assert [line.split()[2] for line in log.lines] == [f"{n}%" for n in range(0, 101, 10)]
    await progress("remote: Counting objects:   1% (1/100)\x1b[2J")
    now[0] = 1.0
    await progress("remote: Counting objects:   2% (2/100)")
    now[0] = 2.5
    await progress("remote: Counting objects:   3% (3/100)")
    await progress("From https://example.com/repository")
    assert [line.split()[2] for line in log.lines[11:]] == ["1%", "3%"]
    assert "\x1b" not in log.text
