"""What `make chaos` breaks and looks for, by itself: a run takes too long for the suite."""

import base64
import itertools
from urllib.parse import quote

import pytest

from tests.chaos.__main__ import Round, rounds
from tests.chaos.brokers import NAMES
from tests.chaos.failures import FAILURES
from tests.chaos.leaks import Leaks

SECRET = "owner-Pa55:word/+ and more"


def told(plan: Round) -> tuple[str, list[tuple[float, str]]]:
    return plan.broker, [(pause, failure.__name__) for pause, failure in plan.failures]


def test_a_seed_is_a_plan() -> None:
    first, again, other = (list(itertools.islice(rounds(seed), 9)) for seed in (7, 7, 8))
    assert [told(plan) for plan in first] == [told(plan) for plan in again]
    assert [told(plan) for plan in first] != [told(plan) for plan in other]


def test_every_failure_has_its_turn() -> None:
    every = {failure.__name__ for some in FAILURES.values() for failure in some}
    played = itertools.islice(rounds(1), len(every))
    assert {name for plan in played for _, name in told(plan)[1]} == every


def test_both_brokers_have_their_turns() -> None:
    played = list(itertools.islice(rounds(1), 8))
    for one, other in zip(played[::2], played[1::2], strict=True):
        assert {one.broker, other.broker} == set(NAMES)


@pytest.mark.parametrize(
    "written",
    [
        SECRET,
        quote(SECRET, safe=""),
        SECRET.encode().hex(),
        *(base64.b64encode(f"{login}:{SECRET}".encode()).decode() for login in ("a", "ab", "abc")),
        base64.b64encode(SECRET.encode()).decode(),
    ],
)
def test_a_secret_is_found_however_it_is_written(written: str) -> None:
    leaks = Leaks({"password": SECRET})
    leaks.search("here", b"nothing")
    assert leaks.found == []
    leaks.search("there", f"before {written} after".encode())
    assert leaks.found == ["the password is in there"]
