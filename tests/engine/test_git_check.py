"""Looking at a source while the user waits."""

from dataclasses import replace

import pytest

from engine.git.client import GitPolicy, GitRequest, check
from tests.fixtures.git import BareRepository, GitServer


async def check_places(server: GitServer, policy: GitPolicy, **places: str) -> dict[str, str]:
    request = replace(GitRequest(url=server.url("demo.git"), ref="main"), **places)
    return {problem.field: problem.message for problem in await check(request, policy)}


async def test_check_looks_for_the_dockerfile_and_the_directory(
    git_server: GitServer, demo_repository: BareRepository, git_policy: GitPolicy
) -> None:
    def places(dockerfile: str, context: str = "/") -> dict[str, str]:
        return {"dockerfile_path": dockerfile, "context_path": context}

    for good in (
        places("Dockerfile"),
        places("./demo1/Dockerfile", "demo1/"),
        places("build.Dockerfile", "/demo2"),
        places("shortcut/Dockerfile", "shortcut"),  # behind a link: nobody knows yet
    ):
        assert await check_places(git_server, git_policy, **good) == {}
    found = await check_places(git_server, git_policy, **places("dockerfile", "/demo3"))
    assert set(found) == {"dockerfilePath", "contextPath"}
    assert "Dockerfile, demo1/Dockerfile, demo2/build.Dockerfile" in found["dockerfilePath"]
    found = await check_places(git_server, git_policy, **places("../Dockerfile", "a/../.."))
    assert set(found) == {"dockerfilePath", "contextPath"}


async def test_check_skips_the_files_where_they_are_not_cheap(
    git_server: GitServer, demo_repository: BareRepository, git_policy: GitPolicy
) -> None:
    before = len(git_server.requests())
    request = GitRequest(
        url=git_server.url("demo.git", "plain"), ref="main", dockerfile_path="missing"
    )
    assert await check(request, git_policy) == []
    assert not any(r["fetch"] for r in git_server.requests()[before:])


@pytest.mark.parametrize("door", ["hang", "stall"])
async def test_check_claims_nothing_of_a_server_that_hangs(
    git_server: GitServer, demo_repository: BareRepository, git_policy: GitPolicy, door: str
) -> None:
    request = GitRequest(url=git_server.url("demo.git", door), ref="main")
    assert await check(request, replace(git_policy, check_seconds=0.5)) == []
