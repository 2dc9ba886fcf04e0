import pytest

from engine.reference import (
    BadReference,
    ImageName,
    Reference,
    check_host,
    parse_image_name,
    parse_reference,
)

DIGEST = "sha256:" + "0123456789abcdef" * 4


@pytest.mark.parametrize(
    ("text", "repository", "tag"),
    [
        ("/aihub/demo_api:0.1", "aihub/demo_api", "0.1"),
        ("aihub/demo_api:0.1", "aihub/demo_api", "0.1"),
        ("/a/b/c/d:latest", "a/b/c/d", "latest"),
        ("/a.b/c__d/e---f:_x", "a.b/c__d/e---f", "_x"),
        ("/0/1:V1.2-rc_3", "0/1", "V1.2-rc_3"),
        ("/a/b:" + "t" * 128, "a/b", "t" * 128),
    ],
)
def test_a_path_is_read_and_spelt_one_way(text: str, repository: str, tag: str) -> None:
    image = parse_image_name(text)
    assert image == ImageName(repository, tag)
    assert image.name == "/" + text.removeprefix("/")
    assert parse_image_name(image.name) == image


@pytest.mark.parametrize(
    ("text", "reason"),
    [
        ("", "A name is needed"),
        ("/", "A name is needed"),
        ("/aihub/demo", "`/aihub/demo` has no tag; end it with one, as in `/aihub/demo:latest`"),
        ("/aihub/demo:", "The tag after `:` is empty"),
        ("/aihub/demo:-1", "The tag `-1` is not valid"),
        ("/aihub/demo:a b", "The tag `a b` is not valid"),
        ("/aihub/demo:1:2", "The tag `1:2` is not valid"),
        ("/aihub/demo:é", "The tag `é` is not valid"),
        ("/aihub/demo:1\n", "is not valid"),
        ("/aihub/demo:" + "t" * 129, "The tag has 129 characters; it may have 128"),
        ("/aihub/Demo:1", "`Demo` has upper-case letters; a path may hold a-z, 0-9 and . _ -"),
        ("/aihub/dem o:1", "`dem o` has the character ` `"),
        ("/aihub/démo:1", "`démo` has the character `é`"),
        ("/aihub/demo\n:1", "has the character"),
        ("/aihub/-demo:1", "`-demo` must begin and end with one of a-z or 0-9"),
        ("/aihub_/demo:1", "`aihub_` must begin and end"),
        ("/aihub/a..b:1", "`a..b` has separators that may not stand side by side"),
        ("/aihub/a___b:1", "`a___b` has separators"),
        ("/aihub/a._b:1", "`a._b` has separators"),
        ("//aihub/demo:1", "The path has an empty part"),
        ("/aihub//demo:1", "The path has an empty part"),
        ("/aihub/demo/:1", "The path has an empty part"),
        ("/demo:1", "`/demo:1` has no project; put one before the name, as in `/project/demo:1`"),
        (f"/aihub/demo@{DIGEST}", "has a digest"),
        (f"/aihub/demo:1@{DIGEST}", "has a digest"),
        ("harbor.example.com:443/aihub/demo:1", "`harbor.example.com:443` looks like a registry"),
        ("localhost/aihub/demo:1", "`localhost` looks like a registry"),
        ("/a/" + "b" * 254 + ":1", "The path has 256 characters; it may have 255"),
    ],
)
def test_a_bad_path_is_refused_with_its_reason(text: str, reason: str) -> None:
    with pytest.raises(BadReference) as refused:
        parse_image_name(text)
    assert reason in refused.value.message


def test_the_registry_counts_towards_the_length() -> None:
    text = "/a/" + "b" * 230 + ":1"
    assert parse_image_name(text, "r.example.com").tag == "1"
    with pytest.raises(BadReference, match="with `registry-of-all-images"):
        parse_image_name(text, "registry-of-all-images.example.com")


def test_a_path_becomes_a_reference_in_a_registry() -> None:
    reference = parse_image_name("/aihub/demo:0.1").at("harbor.example.com:8443")
    assert str(reference) == "harbor.example.com:8443/aihub/demo:0.1"
    assert parse_reference(str(reference)) == reference


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("busybox", "docker.io/library/busybox:latest"),
        ("busybox:1.36", "docker.io/library/busybox:1.36"),
        ("docker.io/busybox", "docker.io/library/busybox:latest"),
        ("index.docker.io/busybox", "docker.io/library/busybox:latest"),
        ("bitnami/redis", "docker.io/bitnami/redis:latest"),
        ("docker.io/a/b/c:1", "docker.io/a/b/c:1"),
        ("localhost/x", "localhost/x:latest"),
        ("localhost:5000/x:1", "localhost:5000/x:1"),
        ("myhost:5000/x", "myhost:5000/x:latest"),
        ("MyHost/x", "MyHost/x:latest"),
        ("quay.io/org/app:v1", "quay.io/org/app:v1"),
        ("[::1]:5000/x:1", "[::1]:5000/x:1"),
        (f"busybox@{DIGEST}", f"docker.io/library/busybox@{DIGEST}"),
        (f"quay.io/o/a:v1@{DIGEST}", f"quay.io/o/a:v1@{DIGEST}"),
    ],
)
def test_a_reference_is_normalised_as_docker_does(text: str, expected: str) -> None:
    reference = parse_reference(text)
    assert str(reference) == expected
    assert parse_reference(expected) == reference


@pytest.mark.parametrize(
    ("text", "reason"),
    [
        ("", "A reference is needed"),
        ("f" * 64, "is an image's id"),
        ("Busybox", "`Busybox` has upper-case letters"),
        ("busybox:", "The tag after `:` is empty"),
        ("busybox@sha256:12", "`sha256:12` is not a digest"),
        ("busybox@md5:" + "0" * 32, "is not a digest"),
        ("bad_host.example/x", "`bad_host.example` is not a registry's address"),
        ("quay.io/", "The path has an empty part"),
        ("https://quay.io/x", "`https:` is not a registry's address"),
    ],
)
def test_a_bad_reference_is_refused_with_its_reason(text: str, reason: str) -> None:
    with pytest.raises(BadReference) as refused:
        parse_reference(text)
    assert reason in refused.value.message


def test_pinning_keeps_the_tag_and_asks_for_the_digest() -> None:
    reference = parse_reference("busybox:1")
    assert reference.version == "1"
    pinned = reference.with_digest(DIGEST)
    assert pinned == Reference("docker.io", "library/busybox", "1", DIGEST)
    assert pinned.version == DIGEST
    with pytest.raises(BadReference):
        reference.with_digest("latest")


@pytest.mark.parametrize("host", ["", "https://x", "x/y", "user@x", "x:port", "-x", "x.", "a b"])
def test_what_is_no_host_is_refused(host: str) -> None:
    with pytest.raises(BadReference):
        check_host(host)
