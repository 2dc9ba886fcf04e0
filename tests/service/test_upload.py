"""Images from uploads: every kind of archive, hostile ones, and ones that are too large."""

import asyncio
import gzip
import io
import stat
import tarfile
import zipfile
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import pytest

from tests.fixtures.registry import RegistryServer
from tests.fixtures.service import Client, Server, client_of, serving
from tests.service.problems import fields
from tests.service.pulled import files_of
from tests.service.test_dockerfile import new_name

Files = Mapping[str, str]


CONTEXT = {
    "Dockerfile": "FROM scratch\nCOPY . /app/\n",
    ".dockerignore": "*.secret\n!keep.secret\nbuild/\n",
    "main.py": "print('hello')\n",
    "keep.secret": "kept\n",
    "drop.secret": "dropped\n",
    "build/out.o": "dropped\n",
    "deep/er/文件.txt": "内容\n",
}


def tar(files: Files) -> bytes:
    buffer = io.BytesIO()
    with tarfile.open(fileobj=buffer, mode="w") as archive:
        for name, text in files.items():
            entry = tarfile.TarInfo(name)
            entry.size = len(text.encode())
            archive.addfile(entry, io.BytesIO(text.encode()))
    return buffer.getvalue()


def tar_gz(files: Files) -> bytes:
    return gzip.compress(tar(files))


def zipped(files: Files) -> bytes:
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w", zipfile.ZIP_DEFLATED) as archive:
        for name, text in files.items():
            archive.writestr(name, text)
    return buffer.getvalue()


def below(folder: str, files: Files) -> dict[str, str]:
    return {f"{folder}/{name}": text for name, text in files.items()}


async def test_every_kind_of_archive_makes_the_same_image(client: Client) -> None:
    uploads = {
        "context.tar": tar(CONTEXT),
        "context.tar.gz": tar_gz(CONTEXT),
        "context.zip": zipped(CONTEXT),
        "project-main.zip": zipped(below("project-main", CONTEXT)),
        "misnamed.zip": tar(below("only", CONTEXT)),
    }
    created = [
        await client.upload(filename, content, name=new_name())
        for filename, content in uploads.items()
    ]
    builds = await asyncio.gather(*(client.finished(each) for each in created))

    assert [build["status"] for build in builds] == ["SUCCEEDED"] * len(uploads), builds
    assert len({build["contextDigest"] for build in builds}) == 1
    assert len({build["digest"] for build in builds}) == 1
    files = await files_of(created[0]["image"]["reference"])
    assert files == {
        "app/Dockerfile": CONTEXT["Dockerfile"],
        "app/.dockerignore": CONTEXT[".dockerignore"],
        "app/main.py": CONTEXT["main.py"],
        "app/keep.secret": "kept\n",
        "app/deep/er/文件.txt": "内容\n",
    }
    assert {build["dockerfile"] for build in builds} == {CONTEXT["Dockerfile"]}


async def test_the_dockerfile_may_lie_elsewhere(client: Client) -> None:
    files = {
        "docker/web.Dockerfile": "FROM scratch\nCOPY site /site\n",
        "docker/web.Dockerfile.dockerignore": "site/draft*\n",
        ".dockerignore": "site\n",
        "site/index.html": "<p>",
        "site/draft.html": "<p>",
    }
    created = await client.upload(
        "a.zip",
        zipped(below("top", files)),
        name=new_name(),
        dockerfilePath="docker/web.Dockerfile",
    )
    build = await client.finished(created)
    assert build["status"] == "SUCCEEDED", await client.log(build["id"])
    assert await files_of(created["image"]["reference"]) == {"site/index.html": "<p>"}


async def test_a_dockerfile_alone_is_a_context(client: Client) -> None:
    text = "FROM scratch\nLABEL made=here\n"
    created = await client.upload("Dockerfile", text.encode(), name=new_name())
    build = await client.finished(created)
    assert build["status"] == "SUCCEEDED", await client.log(build["id"])
    assert build["dockerfile"] == text


async def test_a_dockerfile_that_is_not_there_is_said_to_be_missing(client: Client) -> None:
    created = await client.upload(
        "a.tar", tar(CONTEXT), name=new_name(), dockerfilePath="docker/Dockerfile"
    )
    build = await client.finished(created)
    assert build["failure"]["code"] == "DOCKERFILE_NOT_FOUND"
    assert "docker/Dockerfile" in build["failure"]["message"]
    assert build["failure"]["blame"] == "USER"


def with_entry(name: str, **attributes: Any) -> bytes:
    buffer = io.BytesIO()
    with tarfile.open(fileobj=buffer, mode="w") as archive:
        for each, content in (("Dockerfile", b"FROM scratch\nCOPY . /\n"), (name, b"")):
            entry = tarfile.TarInfo(each)
            entry.size = len(content)
            if each == name:
                for attribute, value in attributes.items():
                    setattr(entry, attribute, value)
            archive.addfile(entry, io.BytesIO(content))
    return buffer.getvalue()


def zip_link_out() -> bytes:
    link = zipfile.ZipInfo("up")
    link.create_system, link.external_attr = 3, stat.S_IFLNK << 16
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w") as archive:
        archive.writestr("Dockerfile", "FROM scratch\nCOPY . /\n")
        archive.writestr(link, "../..")
    return buffer.getvalue()


HOSTILE = {
    "absolute": (with_entry("/tmp/darkroom-escaped"), "absolute path"),  # noqa: S108  # never made
    "parent": (with_entry("../../../darkroom-escaped"), "'..'"),
    "link": (with_entry("etc", type=tarfile.SYMTYPE, linkname="/etc"), "outside the archive"),
    "hard link": (with_entry("p", type=tarfile.LNKTYPE, linkname="/etc/passwd"), "absolute path"),
    "device": (with_entry("null", type=tarfile.CHRTYPE, devmajor=1, devminor=3), "device"),
    "link in a zip": (zip_link_out(), "outside the archive"),
    "cut short": (tar_gz(CONTEXT)[:-40], ""),
}


async def test_hostile_archives_are_refused_and_leave_nothing(
    client: Client, server: Server
) -> None:
    made = {
        kind: await client.upload("a", content, name=new_name())
        for kind, (content, _) in HOSTILE.items()
    }
    for kind, created in made.items():
        build = await client.finished(created)
        failure = build["failure"]
        assert failure["code"] == "CONTEXT_INVALID", (kind, failure)
        assert HOSTILE[kind][1] in failure["message"]
        assert failure["message"] in await client.log(build["id"])
        assert (await client.image(created["image"]["id"]))["status"] == "FAILED"
    for place in (Path("/tmp"), server.data, server.data / "work"):  # noqa: S108  # where it aims
        assert not list(place.glob("*darkroom-escaped*"))
    assert not list((server.data / "work").glob("*"))


@pytest.fixture(scope="module")
def narrow(
    docker_engine: str, registry: RegistryServer, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[Server]:
    """A server that takes little."""
    settings = {
        "ENGINE_URL": docker_engine,
        "REGISTRY": registry.host,
        "UPLOAD_BYTES": "100000",
        "CONTEXT_BYTES": "200000",
        "CONTEXT_ENTRIES": "50",
    }
    with serving(tmp_path_factory.mktemp("narrow"), settings) as server:
        yield server


async def test_an_upload_that_is_too_large_is_named_with_all_other_problems(
    narrow: Server,
) -> None:
    async with client_of(narrow.url) as client:
        answer = await client.upload("a.tar", bytes(100_001), name="/Bad", tags=["no/such"])
        assert fields(answer).keys() == {"name", "tags", "file"}
        assert "100000 bytes" in fields(answer)["file"]
        far = await client.upload("a.tar", bytes(1_000_000), name=new_name())
        assert fields(far).keys() == {"file"}


async def test_an_archive_that_unpacks_beyond_a_limit_fails(narrow: Server) -> None:
    bomb = {"Dockerfile": "FROM scratch\n", "zeros": "0" * 300_000}
    crowd = {"Dockerfile": "FROM scratch\n", **{f"f{n}": "" for n in range(60)}}
    async with client_of(narrow.url) as client:
        for files, told in ((bomb, "195.3 KiB"), (crowd, "50")):
            created = await client.upload("a.zip", zipped(files), name=new_name())
            failure = (await client.finished(created))["failure"]
            assert failure["code"] == "CONTEXT_TOO_LARGE"
            assert told in failure["message"]
    assert not list((narrow.data / "work").glob("*"))
