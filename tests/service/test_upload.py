"""Images from uploads: every kind of archive, hostile ones, and what is refused at the door."""

import asyncio
import contextlib
import gzip
import io
import stat
import tarfile
import zipfile
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import aiohttp
import pytest

from tests.fixtures.registry import RegistryServer
from tests.fixtures.service import Client, Server, client_of, serving
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


def fields(answer: dict[str, Any]) -> dict[str, str]:
    """The messages of a ValidationError by field; each field once here."""
    assert answer["__typename"] == "ValidationError", answer
    return {problem["field"]: problem["message"] for problem in answer["fields"]}


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


async def test_all_problems_come_at_once(client: Client) -> None:
    answer = await client.create(
        "Dockerfile",
        name="/Demo/Name",
        tags=["framework/pytorch", "framework/pytroch"],
        description="bell \a",
        dockerfile="FROM scratch\nCOPPY a b\n",
    )
    found = fields(answer)
    assert found.keys() == {"name", "tags", "description", "dockerfile"}
    assert "framework/pytorch" in found["tags"]
    assert "line 2" in found["dockerfile"].lower()
    uploaded = await client.upload(
        "a", b"\x7fELF\xff", name="", tags=["x"], description="x" * 10_001
    )
    assert fields(uploaded).keys() == {"name", "tags", "description", "file"}
    for field, message in fields(uploaded).items():
        assert f"{field}: {message}" in uploaded["message"]


async def test_a_name_that_is_taken_is_a_conflict(client: Client) -> None:
    name = new_name()
    first = await client.create("Dockerfile", name=name, dockerfile="FROM scratch\nLABEL a=b\n")
    for answer in (
        await client.create("Dockerfile", name=name, dockerfile="FROM scratch\nLABEL a=b\n"),
        await client.upload("Dockerfile", b"FROM scratch\nLABEL a=b\n", name=name.lstrip("/")),
    ):
        assert answer["__typename"] == "ConflictError"
        assert answer["taken"] == {"id": first["image"]["id"], "name": name}
        assert name in answer["message"]


async def test_two_at_once_get_one_name_between_them(client: Client) -> None:
    name = new_name()
    answers = await asyncio.gather(
        *(
            client.create("Dockerfile", name=name, dockerfile="FROM scratch\nLABEL a=b\n")
            for _ in range(5)
        )
    )
    assert sorted(answer["__typename"] for answer in answers) == [
        *["ConflictError"] * 4,
        "CreateImagePayload",
    ]


@pytest.mark.parametrize(
    ("name", "told"),
    [
        ("", "name is needed"),
        ("/project/name", "no tag"),
        ("/name:1", "no project"),
        ("/Project/name:1", "upper-case"),
        ("/project/na me:1", "character"),
        ("/project/name:-1", "tag"),
        ("/project/name:" + "t" * 129, "128"),
        ("/project//name:1", "empty part"),
        ("/project/-name:1", "begin and end"),
        ("/project/a...b:1", "side by side"),
        ("/project/name@sha256:" + "0" * 64, "digest"),
        ("registry.example.com:5000/project/name:1", "registry's address"),
        ("/project/" + "n" * 255 + ":1", "255"),
        ("/project/../name:1", "begin and end"),
    ],
)
async def test_a_name_follows_the_grammar_of_references(
    client: Client, name: str, told: str
) -> None:
    answer = await client.create("Dockerfile", name=name, dockerfile="FROM scratch\nLABEL a=b\n")
    assert fields(answer).keys() == {"name"}
    assert told in fields(answer)["name"]


async def test_control_characters_of_a_name_are_not_repeated(client: Client) -> None:
    for name in ("/project/na\x1b[31mme:1", "/project/na\nme:1", "/project/name:1\r\n", "/p/\0:1"):
        answer = await client.create("Dockerfile", name=name, dockerfile="FROM scratch\nLABEL a=b")
        message = fields(answer)["name"]
        assert message.isprintable(), ascii(message)


async def test_a_typed_dockerfile_that_copies_points_to_the_upload(client: Client) -> None:
    answer = await client.create(
        "Dockerfile",
        name=new_name(),
        dockerfile="FROM scratch AS a\nCOPY --from=a /x /y\nADD https://example.com/a /\n"
        "COPY app.py requirements.txt /app/\n",
    )
    message = fields(answer)["dockerfile"]
    assert "Line 4" in message
    assert "`app.py`, `requirements.txt`" in message
    assert "createImageFromUpload" in message
    uploaded = await client.upload("Dockerfile", b"FROM scratch\nCOPY a /\n", name=new_name())
    assert "archive" in fields(uploaded)["file"]


async def test_empty_and_huge_dockerfiles_are_refused(client: Client) -> None:
    for text in ("", "\n", "# only a comment\n"):
        answer = await client.create("Dockerfile", name=new_name(), dockerfile=text)
        assert "empty" in fields(answer)["dockerfile"]
    huge = "FROM scratch\n" + "# comment\n" * 60_000
    answer = await client.create("Dockerfile", name=new_name(), dockerfile=huge)
    assert "512" in fields(answer)["dockerfile"]
    assert "empty" in fields(await client.upload("a", b"", name=new_name()))["file"]


# At the door


UPLOAD = {
    "operations": '{"query": "mutation($f: Upload!) { createImageFromUpload(input: '
    '{name: \\"/a/b:1\\", file: $f}) { __typename } }", "variables": {"f": null}}',
    "map": '{"0": ["variables.f"]}',
}
OF_A_FORM = ("multipart/form-data", "application/x-www-form-urlencoded", "text/plain")


async def test_a_form_of_another_site_is_refused(client: Client) -> None:
    async def status(**headers: str) -> int:
        form = aiohttp.FormData(UPLOAD)
        form.add_field("0", b"FROM scratch\n", filename="Dockerfile")
        post = client.session.post(f"{client.url}/graphql", data=form, headers=headers)
        async with post as answer:
            if answer.status == 403:
                assert (await answer.json())["errors"][0]["message"]
            return answer.status

    evil = "https://evil.example.com"
    assert await status() == 403
    assert await status(Origin=evil) == 403
    assert await status(Origin="null") == 403
    assert await status(**{"Origin": evil, "X-Requested-With": "XMLHttpRequest"}) == 403
    assert await status(Origin=client.url) == 200
    assert await status(**{"Apollo-Require-Preflight": "true"}) == 200


@pytest.mark.parametrize("kind", [*OF_A_FORM, ""])
async def test_what_a_form_can_send_is_refused(client: Client, kind: str) -> None:
    async with client.session.post(
        f"{client.url}/graphql",
        data=b'{"query": "{ __typename }"}',
        headers={"Content-Type": kind},
        skip_auto_headers=["Content-Type"],
    ) as answer:
        assert answer.status == 403


async def test_json_of_another_site_is_refused(client: Client) -> None:
    async with client.session.post(
        f"{client.url}/graphql",
        json={"query": "{ __typename }"},
        headers={"Origin": "https://evil.example.com"},
    ) as answer:
        assert answer.status == 403


async def test_a_websocket_of_another_site_is_refused(client: Client) -> None:
    async def connect(origin: str) -> None:
        async with client.session.ws_connect(
            f"{client.url}/graphql",
            protocols=["graphql-transport-ws"],
            headers={"Origin": origin},
        ) as socket:
            await socket.send_json({"type": "connection_init"})
            assert (await socket.receive_json())["type"] == "connection_ack"

    await connect(client.url)
    for origin in (
        "https://evil.example.com",
        "null",
        client.url.replace("127.0.0.1", "localhost"),
    ):
        with pytest.raises(aiohttp.WSServerHandshakeError) as refused:
            await connect(origin)
        assert refused.value.status == 403


async def test_a_mutation_cannot_be_sent_by_a_link(client: Client) -> None:
    query = 'mutation { cancelBuild(id: "x") { __typename } }'
    async with client.session.get(f"{client.url}/graphql", params={"query": query}) as answer:
        assert answer.status == 400


async def test_a_broken_upload_is_the_senders_mistake(client: Client) -> None:
    for fields_ in ({"operations": "no json", "map": "{}"}, {**UPLOAD, "map": '{"9": ["a"]}'}):
        form = aiohttp.FormData(fields_)
        form.add_field("0", b"x", filename="x")
        post = client.session.post(
            f"{client.url}/graphql", data=form, headers={"X-Requested-With": "tests"}
        )
        with contextlib.suppress(aiohttp.ClientPayloadError):
            async with post as answer:
                assert answer.status in (200, 400)
                assert "Traceback" not in await answer.text()
