"""Reading Dockerfiles: what they are built from, what they copy, what is wrong with them."""

from engine.dockerfile.bases import BaseUse, bases, frontend, pin
from engine.dockerfile.check import check
from engine.dockerfile.copies import ContextUse, copies_from_context
from engine.dockerfile.find import find_dockerfile, read_dockerfile

__all__ = [
    "BaseUse",
    "ContextUse",
    "bases",
    "check",
    "copies_from_context",
    "find_dockerfile",
    "frontend",
    "pin",
    "read_dockerfile",
]
