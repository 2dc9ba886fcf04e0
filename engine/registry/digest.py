"""Digests: what proves that bytes are the ones that were asked for."""

import hashlib

CHUNK = 256 * 1024
"""Bytes read from a blob at a time; hashing as many takes a fraction of a millisecond."""


def digest_of(body: bytes, algorithm: str = "sha256") -> str:
    """`algorithm:hex` of `body`."""
    return f"{algorithm}:{hashlib.new(algorithm, body).hexdigest()}"


class Measure:
    """Hashes and counts bytes as they pass."""

    def __init__(self, algorithm: str = "sha256") -> None:
        self._algorithm = algorithm
        self._hash = hashlib.new(algorithm)
        self.size = 0

    def update(self, chunk: bytes) -> None:
        """Take the next bytes into account."""
        self._hash.update(chunk)
        self.size += len(chunk)

    @property
    def digest(self) -> str:
        """Of what has passed until now."""
        return f"{self._algorithm}:{self._hash.hexdigest()}"


def algorithm_of(digest: str) -> str:
    """The part before the colon."""
    return digest.partition(":")[0]
