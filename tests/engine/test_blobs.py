"""One contract, every implementation of a blob store."""

import asyncio
import os
from pathlib import Path

import pytest

from engine.blobs import BlobNotFound, Blobs, BlobsUnavailable
from server.local.process import free_port

MIB = 1024 * 1024
KEY = "contexts/sha256/0f3a.tar.zst"


@pytest.fixture(params=["file", "memory", "s3"])
def blobs(request: pytest.FixtureRequest, tmp_path: Path) -> Blobs:
    if request.param == "file":
        return Blobs.open((tmp_path / "a folder" / "blobs").as_uri())
    if request.param == "memory":
        return Blobs.open("memory:")
    url: str = request.getfixturevalue("s3_url")
    return Blobs.open(url)


async def read(blobs: Blobs, key: str, start: int = 0, end: int | None = None) -> bytes:
    return b"".join([chunk async for chunk in blobs.stream(key, start, end)])


async def test_what_was_put_is_read(blobs: Blobs) -> None:
    await blobs.put(KEY, b"content")
    assert await read(blobs, KEY) == b"content"
    assert await blobs.size(KEY) == 7
    assert await blobs.exists(KEY)


async def test_put_replaces(blobs: Blobs) -> None:
    await blobs.put(KEY, b"longer than the next")
    await blobs.put(KEY, b"short")
    assert await read(blobs, KEY) == b"short"


async def test_an_empty_blob(blobs: Blobs, tmp_path: Path) -> None:
    await blobs.put("logs/empty", b"")
    assert await read(blobs, "logs/empty") == b""
    assert await read(blobs, "logs/empty", 0, 5) == b""
    assert await blobs.size("logs/empty") == 0
    (tmp_path / "empty").touch()
    await blobs.put_file("logs/empty-too", tmp_path / "empty")
    assert await blobs.size("logs/empty-too") == 0


@pytest.mark.parametrize(
    ("start", "end", "expected"),
    [
        (0, None, b"0123456789"),
        (3, None, b"3456789"),
        (3, 5, b"34"),
        (0, 1, b"0"),
        (8, 100, b"89"),
        (10, None, b""),
        (50, 60, b""),
        (5, 5, b""),
    ],
)
async def test_ranges(blobs: Blobs, start: int, end: int | None, expected: bytes) -> None:
    await blobs.put(KEY, b"0123456789")
    assert await read(blobs, KEY, start, end) == expected


async def test_a_large_file_is_streamed_in_chunks(blobs: Blobs, tmp_path: Path) -> None:
    source = tmp_path / "source"
    content = os.urandom(20 * MIB + 17)
    source.write_bytes(content)
    await blobs.put_file(KEY, source)
    chunks = [chunk async for chunk in blobs.stream(KEY)]
    assert b"".join(chunks) == content
    assert max(map(len, chunks)) <= MIB
    assert len(chunks) >= 20


async def test_download(blobs: Blobs, tmp_path: Path) -> None:
    content = os.urandom(3 * MIB)
    await blobs.put(KEY, content)
    await blobs.download(KEY, tmp_path / "copy")
    assert (tmp_path / "copy").read_bytes() == content


async def test_a_failed_download_leaves_nothing(blobs: Blobs, tmp_path: Path) -> None:
    target = tmp_path / "downloads" / "copy"
    target.parent.mkdir()
    with pytest.raises(BlobNotFound):
        await blobs.download("no/such", target)
    assert list(target.parent.iterdir()) == []


async def test_what_is_not_there_is_named(blobs: Blobs) -> None:
    assert not await blobs.exists("no/such")
    with pytest.raises(BlobNotFound, match="no/such"):
        await blobs.size("no/such")
    with pytest.raises(BlobNotFound, match="no/such"):
        await read(blobs, "no/such")
    with pytest.raises(BlobNotFound, match="no/such"):
        await read(blobs, "no/such", 5)


async def test_delete_can_be_repeated(blobs: Blobs) -> None:
    await blobs.put(KEY, b"content")
    await blobs.delete(KEY)
    await blobs.delete(KEY)
    assert not await blobs.exists(KEY)


async def test_a_reader_never_sees_half_a_blob(blobs: Blobs, tmp_path: Path) -> None:
    old, new = b"a" * (10 * MIB), b"b" * (12 * MIB)
    source = tmp_path / "new"
    source.write_bytes(new)
    await blobs.put(KEY, old)
    writing = asyncio.create_task(blobs.put_file(KEY, source))
    sizes = {await blobs.size(KEY)}
    while not writing.done():
        sizes.add(await blobs.size(KEY))
    await writing
    sizes.add(await blobs.size(KEY))
    assert len(new) in sizes <= {len(old), len(new)}


async def test_a_folder_that_cannot_be_written(tmp_path: Path) -> None:
    (tmp_path / "blobs").mkdir()
    blobs = Blobs.open((tmp_path / "blobs").as_uri())
    (tmp_path / "blobs" / "logs").write_text("a file in the way")
    with pytest.raises(BlobsUnavailable, match="could not write logs/1"):
        await blobs.put("logs/1", b"content")


async def test_a_missing_source_file(tmp_path: Path) -> None:
    blobs = Blobs.open(tmp_path.as_uri())
    with pytest.raises(FileNotFoundError):
        await blobs.put_file("logs/1", tmp_path / "missing")
    assert not await blobs.exists("logs/1")


async def test_s3_that_does_not_answer(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("AWS_ACCESS_KEY_ID", "key-id-kept-out")
    monkeypatch.setenv("AWS_SECRET_ACCESS_KEY", "secret-kept-out")
    blobs = Blobs.open(f"s3://bucket/prefix?endpoint=http://127.0.0.1:{free_port()}")
    with pytest.raises(BlobsUnavailable, match="could not read logs/1") as caught:
        await blobs.size("logs/1")
    assert "kept-out" not in caught.value.message


@pytest.mark.parametrize(
    "url", ["", "/folder", "file:", "file://host/folder", "ftp://host/x", "s3://", "s3://b?x=1"]
)
def test_a_url_that_is_no_blob_store(url: str) -> None:
    with pytest.raises(ValueError, match=r"blob store"):
        Blobs.open(url)
