"""Names of images: the paths that people give, and the references that registries know.

The grammar is that of OCI and Distribution: a repository is a path of components, a tag is up to
128 word characters, a digest names the bytes themselves.
"""

import re
from dataclasses import dataclass, replace

from engine.errors import EngineError

DOCKER_HUB = "docker.io"
NAME_LIMIT = 255
"""Characters of a registry's host, a slash and a repository together (Distribution's limit)."""
TAG_LIMIT = 128

_COMPONENT = r"[a-z0-9]+(?:(?:\.|_|__|-+)[a-z0-9]+)*"
_REPOSITORY = re.compile(rf"{_COMPONENT}(?:/{_COMPONENT})*")
_TAG = re.compile(r"\w[\w.-]{0,127}", re.ASCII)
_DIGEST = re.compile(r"sha256:[0-9a-f]{64}|sha512:[0-9a-f]{128}")
_LABEL = r"[a-zA-Z0-9](?:[a-zA-Z0-9-]*[a-zA-Z0-9])?"
_HOST = re.compile(rf"(?:{_LABEL}(?:\.{_LABEL})*|\[[0-9a-fA-F:]+\])(?::[0-9]{{1,5}})?")
_IMAGE_ID = re.compile(r"[0-9a-f]{64}")


class BadReference(EngineError):
    """A name is not a reference; the message says what is wrong with it and what to write.

    Messages quote what was given, so that its reader sees it; nothing in it may steer a terminal.
    """

    def __init__(self, message: str) -> None:
        shown = (char if char.isprintable() else f"\\u{ord(char):04x}" for char in message)
        super().__init__("".join(shown))


@dataclass(frozen=True, slots=True)
class ImageName:
    """An image's place in the platform's own registry, as its user gives it."""

    repository: str
    tag: str

    @property
    def name(self) -> str:
        """The canonical spelling: `/project/name:tag`."""
        return f"/{self.repository}:{self.tag}"

    def at(self, registry: str) -> "Reference":
        """The same place as a full reference; `registry` is `host[:port]`."""
        return Reference(registry, self.repository, self.tag, None)


@dataclass(frozen=True, slots=True)
class Reference:
    """A full reference. It has a tag, a digest or both; the digest is what counts then."""

    registry: str
    repository: str
    tag: str | None
    digest: str | None

    def __str__(self) -> str:
        tag = f":{self.tag}" if self.tag else ""
        digest = f"@{self.digest}" if self.digest else ""
        return f"{self.registry}/{self.repository}{tag}{digest}"

    @property
    def version(self) -> str:
        """What to ask a registry for: the digest where there is one, else the tag."""
        return self.digest or self.tag or "latest"

    def with_digest(self, digest: str) -> "Reference":
        """The same reference pinned to `digest`; the tag stays, to tell people what was meant."""
        return replace(self, digest=check_digest(digest))


def parse_image_name(text: str, registry: str = "") -> ImageName:
    """Read a path such as `/project/name:tag`; the first slash may be left out.

    `registry` (`host[:port]`) counts towards the length limit. Raises BadReference.
    """
    path = text.removeprefix("/")
    if not path:
        raise BadReference("A name is needed, such as `/project/name:tag`.")
    if "@" in path:
        raise BadReference(
            f"`{text}` has a digest, which only an image that exists has; name a tag instead, "
            "as in `/project/name:tag`."
        )
    _refuse_host(path)
    repository, tag = _split_tag(path)
    if tag is None:
        raise BadReference(f"`{text}` has no tag; end it with one, as in `{text}:latest`.")
    _check_repository(repository, registry)
    if "/" not in repository:
        raise BadReference(
            f"`{text}` has no project; put one before the name, "
            f"as in `/project/{repository}:{tag}`."
        )
    return ImageName(repository, check_tag(tag))


def parse_reference(text: str) -> Reference:
    """Read a reference as Docker does: `busybox` is `docker.io/library/busybox:latest`.

    Raises BadReference.
    """
    if not text:
        raise BadReference(
            "A reference is needed, such as `registry.example.com/project/name:tag`."
        )
    if _IMAGE_ID.fullmatch(text):
        raise BadReference(
            f"`{text}` is an image's id, not a reference; name a repository and tag."
        )
    name, at, digest = text.partition("@")
    registry, path = _split_registry(name)
    repository, tag = _split_tag(path)
    if registry == DOCKER_HUB and "/" not in repository:
        repository = f"library/{repository}"
    _check_repository(repository, registry)
    if tag is not None:
        check_tag(tag)
    if at:
        return Reference(registry, repository, tag, check_digest(digest))
    return Reference(registry, repository, tag or "latest", None)


def check_host(host: str) -> str:
    """`host` itself when it is a registry's `host[:port]`; raises BadReference otherwise."""
    if not _HOST.fullmatch(host):
        raise BadReference(f"`{host}` is not a registry's address; write `host` or `host:port`.")
    return host


def check_repository(repository: str) -> str:
    """`repository` itself when it is one; raises BadReference otherwise."""
    _check_repository(repository, "")
    return repository


def check_tag(tag: str) -> str:
    """`tag` itself when it is one; raises BadReference otherwise."""
    if _TAG.fullmatch(tag):
        return tag
    if not tag:
        raise BadReference("The tag after `:` is empty; write one, such as `latest`.")
    if len(tag) > TAG_LIMIT:
        raise BadReference(f"The tag has {len(tag)} characters; it may have {TAG_LIMIT}.")
    raise BadReference(
        f"The tag `{tag}` is not valid; a tag holds letters, digits and _ . - "
        "and does not start with . or -"
    )


def check_digest(digest: str) -> str:
    """`digest` itself when it is one of sha256 or sha512; raises BadReference otherwise."""
    if not _DIGEST.fullmatch(digest):
        raise BadReference(
            f"`{digest}` is not a digest; one is `sha256:` and 64 hexadecimal digits."
        )
    return digest


def is_digest(text: str) -> bool:
    """Whether `text` is a digest rather than a tag."""
    return _DIGEST.fullmatch(text) is not None


def _refuse_host(path: str) -> None:
    first, slash, _ = path.partition("/")
    if slash and (":" in first or first == "localhost"):
        raise BadReference(
            f"`{first}` looks like a registry's address; leave it out and begin with the project, "
            "as in `/project/name:tag`."
        )


def _split_registry(name: str) -> tuple[str, str]:
    """Docker's rule: the first part is a registry if it could not be a name on Docker Hub."""
    first, slash, rest = name.partition("/")
    # Upper-case letters cannot stand in a repository, so Docker takes such a first part for a host.
    is_host = "." in first or ":" in first or first == "localhost" or first != first.lower()
    if not slash or not is_host:
        return DOCKER_HUB, name
    check_host(first)
    return (DOCKER_HUB if first == "index.docker.io" else first), rest


def _split_tag(path: str) -> tuple[str, str | None]:
    before, slash, last = path.rpartition("/")
    name, colon, tag = last.partition(":")
    return f"{before}{slash}{name}", tag if colon else None


def _check_repository(repository: str, registry: str) -> None:
    if not _REPOSITORY.fullmatch(repository):
        problems = (_component_problem(component) for component in repository.split("/"))
        raise BadReference(next(filter(None, problems)))
    length = len(f"{registry}/{repository}") if registry else len(repository)
    if length > NAME_LIMIT:
        within = f", with `{registry}/` before it," if registry else ""
        raise BadReference(f"The path{within} has {length} characters; it may have {NAME_LIMIT}.")


def _component_problem(component: str) -> str | None:
    if re.fullmatch(_COMPONENT, component):
        return None
    if not component:
        return "The path has an empty part; write one `/` between two parts and none at the end."
    if component != component.lower():
        return (
            f"`{component}` has upper-case letters; a path may hold a-z, 0-9 and . _ - between them"
        )
    if foreign := re.search(r"[^a-z0-9._-]", component):
        return (
            f"`{component}` has the character `{foreign[0]}`; "
            "a path may hold a-z, 0-9 and . _ - between them"
        )
    if component[0] in "._-" or component[-1] in "._-":
        return f"`{component}` must begin and end with one of a-z or 0-9"
    return (
        f"`{component}` has separators that may not stand side by side; "
        "between letters and digits write one `.`, `_`, `__`, or any number of `-`"
    )
