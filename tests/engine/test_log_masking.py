"""What a log must not show is not shown, and nothing else is taken away."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from engine.logs.masking import MASKED, Masker

SECRET = "Pa55:w+rd?"


@pytest.mark.parametrize(
    ("text", "shown"),
    [
        (f"login with {SECRET}", f"login with {MASKED}"),
        (f"{SECRET}{SECRET}", MASKED * 2),
        (
            "git clone https://ada:t0ken@git.example.com/a.git",
            "git clone https://{}@git.example.com/a.git",
        ),
        ("https://ghp_t0ken@github.com/a.git", "https://{}@github.com/a.git"),
        ("postgres://app:p@ss@db/app and more", "postgres://{}@db/app and more"),
        ("redis://:t0ken@cache:6379", "redis://{}@cache:6379"),
        (
            "HTTP_PROXY=http://u:p@proxy:3128 https://x:y@z",
            "HTTP_PROXY=http://{}@proxy:3128 https://{}@z",
        ),
    ],
)
def test_secrets_are_masked(text: str, shown: str) -> None:
    assert Masker([SECRET])(text) == shown.replace("{}", MASKED)


@pytest.mark.parametrize(
    "text",
    [
        "https://registry.example.com:5000/v2/",
        "git clone ssh://git@git.example.com/a.git",
        "see http://example.com/@scope/package and mail a@example.com",
        '{"url":"http://host:80","mail":"a@example.com"}',
        "https://example.com/login?user=a:b@c",
        "12:30 a@b: c://d",
    ],
)
def test_what_is_no_secret_stays(text: str) -> None:
    assert Masker([SECRET])(text) == text


def test_a_key_file_is_masked_line_by_line() -> None:
    key = "-----BEGIN KEY-----\n  MIIEow\n\nQAB\n-----END KEY-----\n"
    shown = Masker([key])("a\n-----BEGIN KEY-----\nMIIEow\nQAB\n-----END KEY-----\nb")
    assert shown == f"a\n{MASKED}\n{MASKED}\nQAB\n{MASKED}\nb"


def test_a_secret_that_begins_with_another_is_masked_whole() -> None:
    assert Masker(["abcd", "abcdefgh"])("abcdefgh abcdx") == f"{MASKED} {MASKED}x"


def test_short_and_absent_secrets_mask_nothing() -> None:
    assert Masker(["", "abc", "  "])("abc  ") == "abc  "


@given(st.text(), st.text(min_size=4, alphabet=st.characters(exclude_categories=["Cs", "Cc"])))
def test_no_text_keeps_the_secret(text: str, secret: str) -> None:
    shown = Masker([secret])(f"{text}{secret}{text}")
    if len(secret.strip()) >= 4 and len(secret.splitlines()) == 1:
        assert secret.strip() not in shown.replace(MASKED, "\n")


@given(st.integers(0, 60))
def test_a_place_within_a_secret_moves_to_its_beginning(place: int) -> None:
    data = f"one {SECRET} two https://a:b@c".encode()
    mask = Masker([SECRET])
    cut = mask.before(data, place)
    assert 0 <= place - cut < len("https://a:b@")
    assert mask(data[:cut].decode()) + mask(data[cut:].decode()) == mask(data.decode())
