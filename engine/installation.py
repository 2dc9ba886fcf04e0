"""What tells one Darkroom from another that shares an engine, a cluster or a machine with it."""

import hashlib

from settings import Settings


def instance_of(settings: Settings) -> str:
    """Twelve hexadecimal digits; all processes of an installation share a database, and these."""
    return hashlib.sha256(settings.database.encode()).hexdigest()[:12]
