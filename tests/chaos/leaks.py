"""Known secrets, looked for wherever anything is kept or can be seen."""

import base64
import contextlib
import gzip
import io
import subprocess
import threading
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path
from urllib.parse import quote

import redis
import zstandard

from engine.blobs import Blobs

_OFTEN = 0.2  # seconds; what is passed to a child process is there for a moment


class Leaks:
    """Looks for the secrets, and remembers where it has looked already."""

    def __init__(self, secrets: Mapping[str, str]) -> None:
        self._forms = {name: _forms(secret) for name, secret in secrets.items()}
        self._seen: dict[str, int] = {}
        self._known: set[str] = set()
        self.found: list[str] = []

    def search(self, where: str, data: bytes) -> None:
        """Note every secret that the data holds, in any form that programs write secrets in."""
        for name, forms in self._forms.items():
            if any(form in data for form in forms):
                self.found.append(f"the {name} is in {where}")

    def search_logs(self, folder: Path) -> None:
        """What processes have printed since the last time."""
        for log in folder.rglob("*.log"):
            with log.open("rb") as file:
                # An overlap: a secret may have been half written.
                file.seek(max(0, self._seen.get(str(log), 0) - 512))
                self.search(str(log.relative_to(folder)), file.read())
                self._seen[str(log)] = file.tell()

    def search_files(self, folder: Path) -> None:
        """Files that never change once they are there: layers, manifests, configurations."""
        for path in folder.rglob("*"):
            if str(path) not in self._known and path.is_file():
                self._known.add(str(path))
                with contextlib.suppress(FileNotFoundError):
                    self.search(f"the registry's {path.relative_to(folder)}", _plain(path))

    async def search_blobs(self, url: str) -> None:
        """Contexts, uploads and logs, as they read once decompressed."""
        blobs = Blobs.open(url)
        async for batch in blobs.stored(""):
            for blob in batch:
                if blob.key not in self._known:
                    self._known.add(blob.key)
                    data = b"".join([part async for part in blobs.stream(blob.key)])
                    self.search(f"the blob {blob.key}", data)
                    self.search(f"the blob {blob.key}", _decompressed(data))

    def search_database(self, programs: Path, port: int, name: str) -> None:
        """A dump of all tables."""
        command = [str(programs / "pg_dump"), "-h", "127.0.0.1", "-p", str(port), "-U", "postgres"]
        dump = subprocess.run([*command, name], check=True, capture_output=True)
        self.search("the database", dump.stdout)

    def search_changing(self, where: str, folder: Path) -> None:
        """Files that a server writes to, as they are now."""
        for path in folder.rglob("*"):
            with contextlib.suppress(OSError):  # a folder, or it is gone
                self.search(f"{where}, {path.name}", path.read_bytes())

    def search_redis(self, url: str) -> None:
        """Every key of a Redis; one that is away holds nothing."""
        with contextlib.suppress(redis.ConnectionError, redis.BusyLoadingError, redis.TimeoutError):
            client = redis.Redis.from_url(url, socket_timeout=2)
            client.config_set("rdbcompression", "no")
            for key in client.scan_iter():
                self.search(f"Redis, {key!r}", bytes(key) + (client.dump(key) or b""))
            client.close()

    def search_processes(self) -> None:
        """The command line of every process of the machine."""
        for process in Path("/proc").glob("[0-9]*"):
            with contextlib.suppress(OSError):  # it ended while we looked
                line = (process / "cmdline").read_bytes()
                self.search(f"a process's arguments: {line[:60]!r}", line)

    @contextlib.contextmanager
    def watching(self, also: Callable[["Leaks"], None]) -> Iterator[None]:
        """Look, until the block ends, at what is there for a moment only: there and `also`."""
        over = threading.Event()

        def watch() -> None:
            while not over.wait(_OFTEN):
                self.search_processes()
                also(self)

        thread = threading.Thread(target=watch, daemon=True)
        thread.start()
        try:
            yield
        finally:
            over.set()
            thread.join(10)


def _forms(secret: str) -> set[bytes]:
    """Plain, quoted for an address, in hexadecimal, and within base64 at any of its places."""
    data = secret.encode()
    forms = {data, quote(secret, safe="").encode(), data.hex().encode()}
    for before in range(3):
        text = base64.b64encode(b"\0" * before + data + b"\0\0\0")
        # Without the ends, whose bits are their neighbours' too.
        forms.add(text[4 if before else 0 : -8])
    return forms


def _plain(path: Path) -> bytes:
    data = path.read_bytes()
    if data.startswith(b"\x1f\x8b"):
        with contextlib.suppress(OSError, EOFError), gzip.open(io.BytesIO(data)) as file:
            return data + file.read()
    return data


def _decompressed(data: bytes) -> bytes:
    with contextlib.suppress(zstandard.ZstdError):
        reader = zstandard.ZstdDecompressor().stream_reader(data, read_across_frames=True)
        return reader.read()
    return b""
