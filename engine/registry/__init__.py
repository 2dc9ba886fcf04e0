"""A client of OCI registries (Distribution specification), with logins as Harbor issues them.

async with Registry("harbor.example.com", Credentials("robot", password)) as registry:
    image = await registry.image("project/name", "0.1")
"""

from engine.registry.catalogue import Page
from engine.registry.client import Registry
from engine.registry.config import Config, Step
from engine.registry.credentials import Credentials
from engine.registry.errors import (
    RegistryDenied,
    RegistryError,
    RegistryNotFound,
    RegistryProtocolError,
    RegistryUnreachable,
)
from engine.registry.images import Document, ImageInfo
from engine.registry.manifest import LINUX_AMD64, Descriptor, Manifest, MediaType, Platform

__all__ = [
    "LINUX_AMD64",
    "Config",
    "Credentials",
    "Descriptor",
    "Document",
    "ImageInfo",
    "Manifest",
    "MediaType",
    "Page",
    "Platform",
    "Registry",
    "RegistryDenied",
    "RegistryError",
    "RegistryNotFound",
    "RegistryProtocolError",
    "RegistryUnreachable",
    "Step",
]
