"""The files that the GraphiQL page is made of, held in memory with what their answers need."""

import gzip
import hashlib
import mimetypes
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path

from starlette.requests import Request
from starlette.responses import Response

# Below this many bytes, compressing costs more than it saves.
_WORTH_COMPRESSING = 1024


@dataclass(frozen=True)
class Asset:
    """One file as it is served: plain and, where that is shorter, compressed."""

    body: bytes
    media_type: str
    compressed: bytes | None
    digest: str

    @classmethod
    def of(cls, body: bytes, media_type: str) -> "Asset":
        """Compute everything that the answers need, once."""
        compressed = gzip.compress(body, mtime=0) if len(body) >= _WORTH_COMPRESSING else None
        if compressed and len(compressed) >= len(body):
            compressed = None
        return cls(body, media_type, compressed, hashlib.sha256(body).hexdigest())

    def answer(self, request: Request, headers: dict[str, str]) -> Response:
        """The file, or 304 when the browser has it already (RFC 9110, section 13.1.2)."""
        packed = self.compressed is not None and _accepts_gzip(request)
        # Two encodings are two representations, and strong tags must tell them apart.
        etag = f'"{self.digest[:32]}{"-gzip" if packed else ""}"'
        headers = {**headers, "ETag": etag, "Vary": "Accept-Encoding"}
        if _matches(request.headers.get("if-none-match", ""), etag):
            return Response(status_code=304, headers=headers)
        if packed:
            headers["Content-Encoding"] = "gzip"
        body = self.compressed if packed else self.body
        return Response(body, headers=headers, media_type=self.media_type)


def read(folders: Iterable[Path]) -> dict[str, Asset]:
    """Every file in `folders`, by its name."""
    files = sorted(file for folder in folders for file in folder.iterdir() if file.is_file())
    return {file.name: Asset.of(file.read_bytes(), _media_type(file)) for file in files}


def release(assets: dict[str, Asset]) -> str:
    """A name for exactly these files: it changes when any of them does."""
    whole = hashlib.sha256()
    for name, asset in sorted(assets.items()):
        whole.update(f"{name} {asset.digest}\n".encode())
    return whole.hexdigest()[:16]


def _media_type(file: Path) -> str:
    # Systems disagree on these two, and `nosniff` makes a wrong one fatal.
    known = {".js": "text/javascript", ".svg": "image/svg+xml"}
    return known.get(file.suffix) or mimetypes.guess_type(file.name)[0] or "text/plain"


def _accepts_gzip(request: Request) -> bool:
    offers = request.headers.get("accept-encoding", "").lower().replace(" ", "").split(",")
    return any(offer == "gzip" or offer.startswith("gzip;q=0.") for offer in offers)


def _matches(if_none_match: str, etag: str) -> bool:
    tags = [tag.strip().removeprefix("W/") for tag in if_none_match.split(",")]
    return etag in tags or "*" in tags
