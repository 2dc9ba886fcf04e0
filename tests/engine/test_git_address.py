import pytest

from engine.git.address import AddressRefused, parse_address, split_tail

CLONE = "https://gitlab.example.com/group/project.git"


@pytest.mark.parametrize(
    ("url", "clone_url", "tail"),
    [
        ("https://gitlab.example.com/group/project", CLONE[:-4], None),
        ("https://gitlab.example.com/group/project/", CLONE[:-4], None),
        ("  https://gitlab.example.com/group/project.git\n", CLONE, None),
        ("https://gitlab.example.com/group/project.git/", CLONE, None),
        ("HTTPS://GitLab.Example.com:443/group/project.git", CLONE, None),
        ("https://gitlab.example.com./group//project.git?a=b#c", CLONE, None),
        ("https://gitlab.example.com/group/project/-/tree/main", CLONE, "main"),
        ("https://gitlab.example.com/group/project/-/tree/main/?ref_type=heads", CLONE, "main"),
        ("https://gitlab.example.com/group/project/-/tree/a/b/docs", CLONE, "a/b/docs"),
        ("https://gitlab.example.com/group/project/-/blob/main/a%20b/Dockerfile#L3", CLONE,
         "main/a b/Dockerfile"),
        ("https://gitlab.example.com/group/project/-/commits/main", CLONE, "main"),
        ("https://gitlab.example.com/group/project/-/commit/0123abcd", CLONE, "0123abcd"),
        ("https://gitlab.example.com/group/project/-/tags/v1.0", CLONE, "v1.0"),
        ("https://gitlab.example.com/group/project/-/merge_requests/7", CLONE, None),
        ("https://gitlab.example.com/group/project/-/issues", CLONE, None),
        ("https://gitlab.example.com/group/project.git/-/tree/main", CLONE, "main"),
        ("https://gitlab.example.com/a/b/c/d/-/tree/main/x",
         "https://gitlab.example.com/a/b/c/d.git", "main/x"),
        ("https://gitlab.example.com/a/b/c/d", "https://gitlab.example.com/a/b/c/d", None),
        ("https://host.example/gitlab/g/p/-/tree/main", "https://host.example/gitlab/g/p.git",
         "main"),
        ("https://github.com/owner/project/tree/main/docs", "https://github.com/owner/project.git",
         "main/docs"),
        ("https://github.com/owner/project/blob/main/Dockerfile",
         "https://github.com/owner/project.git", "main/Dockerfile"),
        ("https://github.com/owner/project/commit/0123abcd", "https://github.com/owner/project.git",
         "0123abcd"),
        ("https://github.com/owner/project/releases/tag/v1", "https://github.com/owner/project.git",
         "v1"),
        ("https://gitea.example.com/owner/project/src/branch/a/b/docs",
         "https://gitea.example.com/owner/project.git", "a/b/docs"),
        ("https://gitea.example.com/owner/project/src/tag/v1",
         "https://gitea.example.com/owner/project.git", "v1"),
        ("https://gitea.example.com/owner/project/src/commit/0123abcd/docs",
         "https://gitea.example.com/owner/project.git", "0123abcd/docs"),
        ("https://gitea.example.com/owner/project/raw/branch/main/a",
         "https://gitea.example.com/owner/project.git", "main/a"),
        ("http://10.1.2.3:8080/group/project", "http://10.1.2.3:8080/group/project", None),
        ("http://[FD00::1]:8080/g/p.git", "http://[fd00::1]:8080/g/p.git", None),
        ("https://bücher.example/g/ü", "https://xn--bcher-kva.example/g/%C3%BC", None),
        ("https://host.example/tree/main/p", "https://host.example/tree/main/p", None),
        ("https://host.example/g/src/branch", "https://host.example/g/src/branch", None),
    ],
)  # fmt: skip
def test_addresses_as_the_browser_shows_them(url: str, clone_url: str, tail: str | None) -> None:
    address = parse_address(url)
    assert (address.clone_url, address.tail) == (clone_url, tail)


def test_the_first_reading_of_a_tail() -> None:
    address = parse_address("https://github.com/owner/project/blob/main/docs/a.md")
    assert (address.host, address.ref, address.path) == ("github.com", "main", "docs/a.md")


@pytest.mark.parametrize(
    ("tail", "expected"),
    [
        ("main/docs", ("main", "docs")),
        ("feature/x/docs/a", ("feature/x", "docs/a")),
        ("feature/x", ("feature/x", "")),
        ("feature/x/y/docs", ("feature/x/y", "docs")),
        ("0123abcd/docs", ("0123abcd", "docs")),
        ("gone/docs/", ("gone", "docs")),
    ],
)
def test_refs_tell_where_a_branch_ends(tail: str, expected: tuple[str, str]) -> None:
    assert split_tail(tail, ["main", "feature/x", "feature/x/y"]) == expected


@pytest.mark.parametrize(
    ("url", "reason"),
    [
        ("", "empty"),
        ("https://user:secret@host.example/g/p", "tokenName and token"),
        ("https://token@host.example/g/p", "tokenName and token"),
        ("https://@host.example/g/p", "tokenName and token"),
        ("https://host.example\\@evil.example/g/p", "user name"),
        ("ssh://git@host.example/g/p", "ssh"),
        ("git@host.example:g/p.git", "ssh"),
        ("git://host.example/g/p", "Only http"),
        ("ftp://host.example/g/p", "Only http"),
        ("file:///etc", "Only http"),
        ("ext::sh -c id", "spaces"),
        ("ext::id", "begin with https"),
        ("/etc", "begin with https"),
        ("host.example/g/p", "begin with https"),
        ("-uevil", "option"),
        ("--upload-pack=touch/x", "option"),
        ("https://host.example", "no repository"),
        ("https://host.example/", "no repository"),
        ("https:///g/p", "host"),
        ("https://-oProxyCommand=x/g/p", "host"),
        ("https://host.example:port/g/p", "host and port"),
        ("https://[::1/g/p", "host and port"),
        ("https://2130706433/g/p", "IPv4"),
        ("https://0x7f.1/g/p", "IPv4"),
        ("https://127.1/g/p", "IPv4"),
        ("https://host.example/g/../p", "`..`"),
        ("https://host.example/g/%2e%2e/p", "`..`"),
        ("https://host.example/g/p\nq", "control"),
        ("https://host.example/" + "a" * 2000, "long"),
    ],
)
def test_what_is_refused_says_why(url: str, reason: str) -> None:
    with pytest.raises(AddressRefused) as refused:
        parse_address(url)
    assert reason in refused.value.message
    assert "secret" not in refused.value.message


def test_ssh_where_it_is_allowed() -> None:
    for url in ("git@host.example:g/p.git", "ssh://git@host.example:22/g/p.git"):
        assert parse_address(url, allow_ssh=True).clone_url == "ssh://git@host.example/g/p.git"
    for url in ("ssh://-oProxyCommand=x@host.example/g/p", "ssh://a:b@host.example/g/p"):
        with pytest.raises(AddressRefused):
            parse_address(url, allow_ssh=True)
