"""What a registry can answer instead of what was asked.

RegistryError
├── RegistryNotFound         The registry has no such repository, manifest, blob or platform.
├── RegistryDenied           The login is missing or refused, or it does not allow this.
├── RegistryUnreachable      It did not answer, was too busy, or failed; another try may succeed.
└── RegistryProtocolError    It answered with something that the specification does not allow.

Messages name the registry and what was asked of it, and never hold a password or a token.
"""

from engine.errors import EngineError


class RegistryError(EngineError):
    """A registry did not do what was asked."""


class RegistryNotFound(RegistryError):
    """The registry has no such repository, manifest, blob or platform."""


class RegistryDenied(RegistryError):
    """The login is missing or refused, or it does not allow this."""


class RegistryUnreachable(RegistryError):
    """It did not answer, was too busy, or failed; another try may succeed.

    `retry_after` is the seconds to wait at least, or None when a try at once is of no use.
    """

    def __init__(self, message: str, retry_after: float | None = None) -> None:
        super().__init__(message)
        self.retry_after = retry_after


class RegistryProtocolError(RegistryError):
    """It answered with something that the specification does not allow."""
