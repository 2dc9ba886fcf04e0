"""Where contexts and logs are kept: a folder or an S3 bucket, behind one small contract."""

import asyncio
import os
from collections.abc import AsyncIterator, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import datetime, timedelta
from pathlib import Path
from typing import TYPE_CHECKING, Self
from urllib.parse import parse_qs, unquote, urlsplit

import obstore
from obstore.exceptions import BaseError, InvalidPathError, NotFoundError
from obstore.store import LocalStore, MemoryStore, S3Store

from engine.errors import EngineError

if TYPE_CHECKING:
    from obstore.store import ObjectStore, S3Config

_CHUNK = 1024 * 1024
# The smallest part that S3 takes, of at most 10,000: blobs of up to 48 GiB. A put holds about twice
# what is on its way in memory, so the parts are small and few.
_S3_PART = 5 * 1024 * 1024
_PARTS_AT_ONCE = 2


class BlobNotFound(EngineError):
    """The blob store answered, and holds nothing under this key."""


class BlobsUnavailable(EngineError):
    """The blob store did not answer, or refused."""


@dataclass(frozen=True, slots=True)
class Stored:
    """A blob that there is: its size in bytes, and when it was put."""

    key: str
    size: int
    modified: datetime


class Blobs:
    """Immutable byte strings under keys such as `contexts/sha256/0f3a….tar.zst`.

    A put is atomic: a reader sees the whole blob or none. Every method raises BlobsUnavailable
    when the store does not answer.
    """

    def __init__(self, store: "ObjectStore") -> None:
        self._store = store

    @classmethod
    def open(cls, url: str) -> Self:
        """Open `file:///folder`, `s3://bucket/prefix?endpoint=…&region=…` or `memory:`.

        The folder is made when missing. S3's credentials come from where AWS's own tools take
        them (`AWS_ACCESS_KEY_ID`, …, or the machine's role), never from the URL. Raises
        ValueError when the URL is none of these.
        """
        parts = urlsplit(url)
        if parts.scheme == "file" and parts.netloc in ("", "localhost") and parts.path:
            return cls(LocalStore(unquote(parts.path), mkdir=True))
        if parts.scheme == "s3" and parts.hostname:
            return cls(_s3(parts.hostname, parts.path.strip("/"), parts.query))
        if parts.scheme == "memory":
            return cls(MemoryStore())
        raise ValueError("A blob store is file:///folder or s3://bucket/prefix?endpoint=…")

    async def put(self, key: str, data: bytes) -> None:
        """Store `data` under `key`, in place of what was there."""
        with _translated("write", key):
            await obstore.put_async(self._store, key, data, use_multipart=False)

    async def put_file(self, key: str, path: Path) -> None:
        """Store a file's content under `key`, in place of what was there.

        Raises FileNotFoundError when there is no such file.
        """
        with _translated("write", key):
            await obstore.put_async(
                self._store,
                key,
                path,
                # Larger parts make a folder no faster.
                chunk_size=_S3_PART if isinstance(self._store, S3Store) else _CHUNK,
                max_concurrency=_PARTS_AT_ONCE,
            )

    async def keep_file(self, key: str, path: Path) -> None:
        """Store a file's content under a key that names it, unless it is there already."""
        if not await self.exists(key):
            await self.put_file(key, path)

    async def stream(
        self, key: str, start: int = 0, end: int | None = None
    ) -> AsyncIterator[bytes]:
        """Read the bytes from `start` up to, not including, `end`, at most 1 MiB at a time.

        What lies beyond the end of the blob is empty. Raises BlobNotFound.
        """
        whole = start == 0 and end is None
        if not whole:
            size = await self.size(key)
            end = size if end is None else min(end, size)
            if start >= end:
                return
        with _translated("read", key):
            # Stores refuse an empty range, and an empty blob has no other.
            result = await obstore.get_async(
                self._store, key, options={} if end is None else {"range": (start, end)}
            )
            async for data in result.stream(min_chunk_size=_CHUNK):
                for at in range(0, len(data), _CHUNK):
                    yield data[at : at + _CHUNK]

    async def download(self, key: str, path: Path) -> None:
        """Write a blob to the file `path`, which appears only once it is whole.

        Raises BlobNotFound.
        """
        partial = path.with_name(path.name + ".partial")
        try:
            with await asyncio.to_thread(partial.open, "wb") as file:
                async for chunk in self.stream(key):
                    await asyncio.to_thread(file.write, chunk)
            await asyncio.to_thread(os.replace, partial, path)
        finally:
            partial.unlink(missing_ok=True)

    async def size(self, key: str) -> int:
        """The length of a blob in bytes. Raises BlobNotFound."""
        with _translated("read", key):
            return (await obstore.head_async(self._store, key))["size"]

    async def exists(self, key: str) -> bool:
        """Whether there is a blob under `key`."""
        try:
            await self.size(key)
        except BlobNotFound:
            return False
        return True

    async def stored(self, prefix: str) -> AsyncIterator[list["Stored"]]:
        """What there is under a prefix that ends with `/`, some at a time, in no order."""
        with _translated("list", prefix):
            async for batch in obstore.list(self._store, prefix):
                yield [Stored(meta["path"], meta["size"], meta["last_modified"]) for meta in batch]

    async def delete(self, key: str) -> None:
        """Remove a blob; one that is not there is no error, so that a delete can be repeated."""
        try:
            with _translated("delete", key):
                await obstore.delete_async(self._store, key)
        except BlobNotFound:
            return


def _s3(bucket: str, prefix: str, query: str) -> S3Store:
    """An S3 store; with an endpoint, addressed by path, as MinIO, Ceph and the like need it."""
    options = {name: values[-1] for name, values in parse_qs(query).items()}
    endpoint, region = options.pop("endpoint", None), options.pop("region", "us-east-1")
    if options:
        raise ValueError(f"Unknown option of a blob store: {', '.join(sorted(options))}")
    config: S3Config = {"virtual_hosted_style_request": endpoint is None, "region": region}
    if endpoint is not None:
        config["endpoint"] = endpoint
    return S3Store(
        bucket,
        prefix=prefix or None,
        config=config,
        client_options={
            "allow_http": endpoint is not None and endpoint.startswith("http:"),
            "connect_timeout": timedelta(seconds=5),
            # A blob may take long as a whole; silence for this long is a failure.
            "read_timeout": timedelta(seconds=60),
            "timeout": timedelta(hours=6),
        },
        retry_config={"max_retries": 3, "retry_timeout": timedelta(seconds=30)},
    )


@contextmanager
def _translated(verb: str, key: str) -> Iterator[None]:
    """Turn the store's errors into ours.

    Their texts stay in the cause: answers of S3 may quote what was signed.
    """
    try:
        yield
    except (NotFoundError, FileNotFoundError) as error:
        if verb == "write":
            # It is the caller's file that is missing.
            raise
        raise BlobNotFound(f"The blob store holds no {key}.") from error
    except InvalidPathError:
        raise
    except (BaseError, OSError) as error:
        raise BlobsUnavailable(
            f"The blob store could not {verb} {key} ({type(error).__name__}). "
            "Try again; if it stays so, an operator should look at the store."
        ) from error
