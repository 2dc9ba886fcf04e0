import socket
from collections.abc import Iterator
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from ipaddress import IPv4Address
from pathlib import Path

import pytest
from cryptography import x509
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat
from cryptography.x509.oid import NameOID

from engine.errors import BuildFailed
from engine.git.address import AddressRefused
from engine.git.client import GitPolicy, GitRequest, check, fetch
from engine.git.guard import admit, check_address
from models.enums import FailureCode
from tests.fixtures.git import BareRepository, GitServer, Log, serve

NAME = "git.darkroom.test"  # resolved by nobody: whoever connects, was told the address


class Answers:
    """A resolver that gives the next answer each time, and counts."""

    def __init__(self, *answers: list[str]) -> None:
        self.answers = list(answers)
        self.asked: list[str] = []

    async def __call__(self, host: str, port: int) -> list[str]:
        self.asked.append(host)
        return self.answers.pop(0) if len(self.answers) > 1 else self.answers[0]


@pytest.mark.parametrize(
    "address",
    [
        "127.0.0.1", "127.8.9.1", str(IPv4Address(0)), "0.1.2.3", "169.254.1.1", "169.254.169.254",
        "100.100.100.200", "168.63.129.16", "224.0.0.1", "255.255.255.255", "240.0.0.1",
        "::1", "::", "fe80::1", "fe80::1%eth0", "ff02::1", "fd00:ec2::254", "fd20:ce::254",
        "::ffff:127.0.0.1", "::ffff:169.254.169.254", "64:ff9b::7f00:1", "64:ff9b::a9fe:a9fe",
        "2002:7f00:1::", "::127.0.0.1",
    ],
)  # fmt: skip
def test_refused_addresses(address: str) -> None:
    with pytest.raises(AddressRefused):
        check_address(address, GitPolicy())


@pytest.mark.parametrize(
    "address",
    ["10.0.0.1", "172.16.3.4", "192.168.1.1", "100.64.0.1", "140.82.121.3", "fd12::1",
     "2606:50c0::1", "::ffff:10.0.0.1"],
)  # fmt: skip
def test_private_and_public_networks_are_allowed(address: str) -> None:
    check_address(address, GitPolicy())


def test_allowing_loopback_allows_nothing_else() -> None:
    policy = GitPolicy(allow_loopback=True)
    for address in ("127.0.0.1", "::1", "::ffff:127.0.0.1"):
        check_address(address, policy)
    for address in (str(IPv4Address(0)), "169.254.169.254", "::ffff:169.254.169.254"):
        with pytest.raises(AddressRefused):
            check_address(address, policy)


async def test_every_address_of_a_name_counts() -> None:
    policy = GitPolicy(lookup=Answers(["140.82.121.3", "127.0.0.1"]))
    with pytest.raises(AddressRefused, match="loopback"):
        await admit("https://github.example/g/p", policy)


async def test_hosts_may_be_limited() -> None:
    policy = GitPolicy(hosts=("git.example.com", "*.corp.example"), lookup=Answers(["10.0.0.1"]))
    assert (await admit("https://a.corp.example/g/p", policy)).addresses == ("10.0.0.1",)
    for host in ("example.com", "git.example.com.evil.example", "corp.example"):
        with pytest.raises(AddressRefused, match="operator"):
            await admit(f"https://{host}/g/p", policy)


@pytest.mark.parametrize(
    ("errno", "code"),
    [
        (socket.EAI_NONAME, FailureCode.GIT_NOT_FOUND),
        (socket.EAI_AGAIN, FailureCode.GIT_UNREACHABLE),
    ],
)
async def test_names_that_do_not_resolve(errno: int, code: FailureCode) -> None:
    async def fails(host: str, port: int) -> list[str]:
        raise socket.gaierror(errno, "no")

    with pytest.raises(BuildFailed) as failed:
        await admit("https://nowhere.example/g/p", GitPolicy(lookup=fails))
    assert failed.value.code is code


async def test_loopback_is_refused_before_anything_connects(
    git_server: GitServer, tmp_path: Path
) -> None:
    seen = len(git_server.requests())
    request = GitRequest(url=git_server.url("demo.git"), ref="main")
    (problem,) = await check(request, GitPolicy())
    assert problem.field == "url"
    with pytest.raises(BuildFailed, match="loopback"):
        await fetch(request, GitPolicy(), tmp_path / "tree", Log())
    assert len(git_server.requests()) == seen


@pytest.mark.parametrize(
    ("target", "reason"),
    [
        ("http://169.254.169.254/latest", "metadata"),
        ("http://[fd00:ec2::254]/latest", "metadata"),
        ("http://[::ffff:169.254.169.254]/latest", "metadata"),
        ("http://2852039166/latest", "IPv4"),
        ("file:///etc", "Only http"),
        ("http://user:pw@10.0.0.1/g", "user name"),
    ],
)
async def test_a_redirect_into_the_forbidden_is_refused(
    git_server: GitServer, git_policy: GitPolicy, tmp_path: Path, target: str, reason: str
) -> None:
    request = GitRequest(url=git_server.leading_to(target), ref="main")
    (problem,) = await check(request, git_policy)
    assert problem.field == "url"
    assert reason in problem.message
    with pytest.raises(BuildFailed, match=reason):
        await fetch(request, git_policy, tmp_path / "tree", Log())


async def test_a_redirect_to_a_name_that_is_loopback_is_refused(
    git_server: GitServer, demo_repository: BareRepository
) -> None:
    """The first hop is let through as a host of the policy's resolver would be, the second not."""
    port = git_server.base.rpartition(":")[2]
    lookup = Answers(["127.0.0.1"])
    url = git_server.leading_to(f"http://{NAME}:{port}/public").replace("127.0.0.1", "first.test")
    policy = GitPolicy(allow_loopback=True, hosts=("first.test",), lookup=lookup)
    (problem,) = await check(GitRequest(url=url, ref="main"), policy)
    assert NAME in problem.message
    assert lookup.asked == ["first.test"]


async def test_git_itself_follows_nothing(
    git_server: GitServer, demo_repository: BareRepository, git_policy: GitPolicy, tmp_path: Path
) -> None:
    """A server that answers us well, and git with a redirect."""
    before = len(git_server.requests())
    request = GitRequest(url=git_server.url("demo.git", "turncoat"), ref="main")
    with pytest.raises(BuildFailed, match="leads on") as failed:
        await fetch(request, git_policy, tmp_path / "tree", Log())
    assert failed.value.code is FailureCode.GIT_NOT_FOUND
    assert not any("/public/" in str(r["path"]) for r in git_server.requests()[before:])


async def test_a_name_is_resolved_once_and_git_connects_where_it_was_checked(
    git_server: GitServer, demo_repository: BareRepository, git_policy: GitPolicy, tmp_path: Path
) -> None:
    port = git_server.base.rpartition(":")[2]
    rebinding = Answers(["127.0.0.1"], ["169.254.169.254"])
    policy = replace(git_policy, lookup=rebinding)
    request = GitRequest(url=f"http://{NAME}:{port}/public/demo.git", ref="main")
    await fetch(request, policy, tmp_path / "tree", Log())
    assert rebinding.asked == [NAME]
    assert (tmp_path / "tree" / "Dockerfile").exists()


def certificate(place: Path) -> tuple[Path, Path]:
    """A certificate for NAME which is its own authority, and its key."""
    key = ec.generate_private_key(ec.SECP256R1())
    name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, NAME)])
    now = datetime.now(UTC)
    made = (
        x509.CertificateBuilder()
        .subject_name(name)
        .issuer_name(name)
        .public_key(key.public_key())
        .serial_number(x509.random_serial_number())
        .not_valid_before(now - timedelta(hours=1))
        .not_valid_after(now + timedelta(days=1))
        .add_extension(x509.BasicConstraints(ca=True, path_length=0), critical=True)
        .add_extension(
            x509.SubjectAlternativeName([x509.DNSName(NAME)]),
            critical=False,
        )
        .sign(key, SHA256())
    )
    certificate_file, key_file = place / "certificate.pem", place / "key.pem"
    certificate_file.write_bytes(made.public_bytes(Encoding.PEM))
    key_file.write_bytes(
        key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption()),
    )
    return certificate_file, key_file


@pytest.fixture(scope="module")
def tls_server(
    git_server: GitServer, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[tuple[GitServer, Path]]:
    place = tmp_path_factory.mktemp("tls")
    authority, key = certificate(place)
    with serve(git_server.root, place / "log", str(authority), str(key)) as server:
        yield server, authority


async def test_https_with_a_private_authority_and_a_token(
    tls_server: tuple[GitServer, Path],
    demo_repository: BareRepository,
    git_policy: GitPolicy,
    tmp_path: Path,
) -> None:
    server, authority = tls_server
    port = server.base.rpartition(":")[2]
    policy = replace(git_policy, ca_file=authority, lookup=Answers(["127.0.0.1"]))
    request = GitRequest(
        url=f"https://{NAME}:{port}/private/demo.git", ref="main", token=server.token
    )
    assert await check(request, policy) == []
    await fetch(request, policy, tmp_path / "tree", Log())
    assert (tmp_path / "tree" / "Dockerfile").exists()
    untrusting = replace(policy, ca_file=None)
    with pytest.raises(BuildFailed, match="not trusted") as failed:
        await fetch(request, untrusting, tmp_path / "other", Log())
    assert failed.value.code is FailureCode.GIT_UNREACHABLE


async def test_https_never_leads_to_http(
    tls_server: tuple[GitServer, Path], git_server: GitServer, git_policy: GitPolicy
) -> None:
    server, authority = tls_server
    port = server.base.rpartition(":")[2]
    url = server.leading_to(f"{git_server.base}/public").replace("127.0.0.1", NAME, 1)
    policy = replace(git_policy, ca_file=authority, lookup=Answers(["127.0.0.1"]))
    assert url.startswith(f"https://{NAME}:{port}/")
    (problem,) = await check(GitRequest(url=url, ref="main"), policy)
    assert "https to http" in problem.message


async def test_a_token_is_not_sent_over_http() -> None:
    policy = GitPolicy(lookup=Answers(["10.255.255.1"]))
    request = GitRequest(url="http://gitlab.example/g/p", ref="main", token="secret-token")
    (problem,) = await check(request, policy)
    assert problem.field == "token"
    assert "https" in problem.message
    assert "secret-token" not in problem.message
