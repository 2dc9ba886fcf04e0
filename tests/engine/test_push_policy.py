"""Which repositories a user may push to."""

import pytest

from engine.push_policy import Author, PushPolicy, Verdict

MINA = Author("mina", frozenset({"vision", "speech.lab"}), admin=False)


@pytest.mark.parametrize(
    ("patterns", "repository", "verdict"),
    [
        ("**", "any/where/at/all", Verdict.OVERWRITE),
        ("**=create", "any/where", Verdict.CREATE),
        ("", "any/where", Verdict.DENIED),
        ("{user}/**", "mina/demo", Verdict.OVERWRITE),
        ("{user}/**", "mina/deep/demo", Verdict.OVERWRITE),
        ("{user}/*", "mina/deep/demo", Verdict.DENIED),
        ("{user}/**", "mina", Verdict.DENIED),
        ("{user}/**", "minas/demo", Verdict.DENIED),
        ("{user}/**", "x/mina/demo", Verdict.DENIED),
        ("team-{group}/*", "team-vision/demo", Verdict.OVERWRITE),
        ("team-{group}/*", "team-speech.lab/demo", Verdict.OVERWRITE),
        ("team-{group}/*", "team-speechxlab/demo", Verdict.DENIED),
        ("team-{group}/*", "team-nlp/demo", Verdict.DENIED),
        ("{group}/{user}/*", "vision/mina/demo", Verdict.OVERWRITE),
        ("shared/*=create {user}/*", "shared/demo", Verdict.CREATE),
        ("shared/*=create shared/demo", "shared/demo", Verdict.OVERWRITE),
        ("a.b/*", "axb/demo", Verdict.DENIED),
    ],
)
def test_the_most_generous_pattern_counts(patterns: str, repository: str, verdict: Verdict) -> None:
    assert PushPolicy(tuple(patterns.split())).judge(repository, MINA) is verdict


@pytest.mark.parametrize("name", ["", "..", "a/b", "*", "**", ".*", "Mina", "a b", "{group}"])
def test_a_name_that_is_no_part_of_a_repository_fits_nothing(name: str) -> None:
    author = Author(name, frozenset({name}), admin=False)
    policy = PushPolicy(("{user}/**", "{group}/**"))
    for repository in ("a/b", "a/b/c", "vision/demo", f"{name}/demo", "mina/demo"):
        assert policy.judge(repository, author) is Verdict.DENIED


def test_administrators_push_anywhere() -> None:
    assert PushPolicy(()).judge("a/b", Author("root", frozenset(), admin=True)) is Verdict.OVERWRITE


def test_a_refusal_says_where_one_may_push() -> None:
    policy = PushPolicy(("{user}/**", "{group}/*", "shared/*=create"))
    assert policy.described(MINA) == "`/mina/**`, `/speech.lab/*`, `/vision/*`, `/shared/*`"
