"""Secrets at rest: sealed with a key that is not in the database, bound to the record they are of.

AES-256-GCM with a random 96-bit nonce (NIST SP 800-38D). A sealed text reads
`v1.<key id>.<base64>`. The authenticated data names the version, the key and the record, so a
sealed token that is copied to another record does not open there.
"""

import base64
import hashlib
import os
import secrets
import tempfile
from collections.abc import Sequence
from pathlib import Path

from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.ciphers.aead import AESGCM
from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.hazmat.primitives.kdf.hkdf import HKDF

from engine.errors import EngineError

_VERSION = "v1"
_NONCE = 12
_SHORTEST = 32
_KEY_FILE = "secret.key"


class SealBroken(EngineError):
    """A sealed secret does not open, or there is no usable key; the message says what to do."""


class Sealer:
    """Seals with the first key, opens with any. Keys are texts of at least 32 random characters."""

    def __init__(self, keys: Sequence[str]) -> None:
        self._use(keys)

    def _use(self, keys: Sequence[str]) -> None:
        if not keys:
            raise SealBroken("There is no key to seal secrets with: set DARKROOM_SECRET_KEY.")
        derived = [_derive(key) for key in keys]
        self._current = _key_id(derived[0])
        self._ciphers = {_key_id(key): AESGCM(key) for key in derived}

    @classmethod
    def from_settings(cls, secret_key: str | None, data_directory: Path) -> "Sealer":
        """Keys from the setting, comma-separated, the current one first; else the data directory's.

        Blocking. Raises SealBroken for a key that is too short, or a key file that others can read.
        """
        if secret_key and secret_key.strip():
            return cls([key.strip() for key in secret_key.split(",") if key.strip()])
        return FileSealer(data_directory)

    def seal(self, text: str, about: str) -> str:
        """Seal a text for one record; `about` names it, and must be the same when it is opened."""
        nonce = os.urandom(_NONCE)
        bound = _bound(self._current, about)
        sealed = nonce + self._ciphers[self._current].encrypt(nonce, text.encode(), bound)
        return f"{_VERSION}.{self._current}.{base64.urlsafe_b64encode(sealed).decode()}"

    def open(self, sealed: str, about: str) -> str:
        """The text. Raises SealBroken."""
        key_id, body = _parse(sealed)
        if (cipher := self._ciphers.get(key_id)) is None:
            raise SealBroken(
                f"The saved secret was sealed with another key ({key_id}). Add that key behind the "
                "current one in DARKROOM_SECRET_KEY, or enter the secret again."
            )
        try:
            opened = cipher.decrypt(body[:_NONCE], body[_NONCE:], _bound(key_id, about))
        except (InvalidTag, ValueError):
            raise SealBroken(
                "The saved secret was changed, or is not of this record: enter it again."
            ) from None
        return opened.decode()

    def needs_rotation(self, sealed: str) -> bool:
        """Whether it should be sealed anew with the current key. Raises SealBroken."""
        return _parse(sealed)[0] != self._current


class FileSealer(Sealer):
    """Seals with the keys in a data directory, and notices when a new one is put in front."""

    def __init__(self, directory: Path) -> None:
        self._directory = directory
        super().__init__(keys_of(directory))
        self._read_at = self._changed_at()

    def seal(self, text: str, about: str) -> str:
        """As `Sealer.seal`, with the key that is the first now."""
        self._follow()
        return super().seal(text, about)

    def open(self, sealed: str, about: str) -> str:
        """As `Sealer.open`, with the keys that there are now."""
        self._follow()
        return super().open(sealed, about)

    def needs_rotation(self, sealed: str) -> bool:
        """As `Sealer.needs_rotation`."""
        self._follow()
        return super().needs_rotation(sealed)

    def _follow(self) -> None:
        if self._changed_at() != self._read_at:
            self._read_at = self._changed_at()
            self._use(keys_of(self._directory))

    def _changed_at(self) -> tuple[int, int]:
        found = (self._directory / _KEY_FILE).stat()
        return found.st_ino, found.st_mtime_ns


def key_of(directory: Path) -> str:
    """The current key in a data directory; as `keys_of`."""
    return keys_of(directory)[0]


def add_key(directory: Path) -> None:
    """Make a new key the current one; the one before still opens what it sealed. Blocking."""
    path = directory / _KEY_FILE
    before = key_of(directory)
    temporary = _written(path, [secrets.token_urlsafe(32), before])
    temporary.replace(path)
    _sync_directory(directory)


def keys_of(directory: Path) -> list[str]:
    """The keys in a data directory, one a line, the current one first.

    Made on first use; processes that race get the same one. Blocking. Raises SealBroken for a file
    that others than its owner may read.
    """
    path = directory / _KEY_FILE
    if not path.exists():
        directory.mkdir(parents=True, exist_ok=True)
        _make(path)
    if path.stat().st_mode & 0o077:
        raise SealBroken(
            f"Others may read {path}: run `chmod 600` on it, and replace the key if they did."
        )
    return path.read_text().split()


def _make(path: Path) -> None:
    """Write it whole, then give it its name: a name that exists already is another's, and stays."""
    temporary = _written(path, [secrets.token_urlsafe(32)])
    try:
        try:
            path.hardlink_to(temporary)
        except FileExistsError:
            return
        _sync_directory(path.parent)
    finally:
        temporary.unlink()


def _written(path: Path, keys: Sequence[str]) -> Path:
    """A new file beside `path`, whole and on the disk, that its owner alone may read."""
    descriptor, name = tempfile.mkstemp(prefix=".secret.", dir=path.parent)  # 0600, O_EXCL
    with os.fdopen(descriptor, "w") as file:
        file.writelines(f"{key}\n" for key in keys)
        file.flush()
        os.fsync(file.fileno())
    return Path(name)


def _sync_directory(directory: Path) -> None:
    descriptor = os.open(directory, os.O_RDONLY | os.O_DIRECTORY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


def _derive(key: str) -> bytes:
    if len(key) < _SHORTEST:
        raise SealBroken(
            f"A key in DARKROOM_SECRET_KEY is shorter than {_SHORTEST} characters: "
            "make one with `openssl rand -base64 32`."
        )
    return HKDF(SHA256(), 32, salt=None, info=b"darkroom sealing v1").derive(key.encode())


def _key_id(key: bytes) -> str:
    return hashlib.sha256(b"darkroom key id" + key).hexdigest()[:8]


def _bound(key_id: str, about: str) -> bytes:
    return f"{_VERSION}.{key_id}.{about}".encode()


def _parse(sealed: str) -> tuple[str, bytes]:
    try:
        version, key_id, body = sealed.split(".")
        if version != _VERSION:
            raise ValueError
        return key_id, base64.b64decode(body, altchars=b"-_", validate=True)
    except ValueError:
        raise SealBroken("The saved secret cannot be read: enter it again.") from None
