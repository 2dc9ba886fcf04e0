"""What git says on its way out, as a code and a sentence for the one who started the build."""

import re
from collections.abc import Sequence

from engine.errors import BuildFailed
from models.enums import FailureCode as Code

UNREACHABLE = "The git server {host} does not answer, or broke off: {detail}. Try again later."
MISSING_OR_PRIVATE = (
    "The repository does not exist, or needs a token to be read: check the address, "
    "and give a token (and tokenName) that may read it."
)
MISSING_OR_BARRED = (
    "The repository does not exist, or this token may not read it: check the address, "
    "and that the token is of a member of the project, with the right to read repositories."
)
REFUSED = (
    "The server does not accept this token: it is mistyped, expired or revoked, "
    "or belongs to another tokenName."
)
BARRED = (
    "The server knows this token but does not let it read the repository: "
    "it needs the right to read repositories (`read_repository` at GitLab, `repo` at GitHub)."
)


class ShaRefused(BuildFailed):
    """The server gives out branches and tags, but no commit by its bare id."""


_SHA_REFUSED = re.compile(r"unadvertised object|want [0-9a-f]+ not valid", re.IGNORECASE)
# In the order of reading: the first that matches names the cause.
_PATTERNS: Sequence[tuple[Code, str, str]] = (
    (Code.GIT_AUTH, r"Authentication failed|could not read (Username|Password)|error: 40[13]",
     "The server refuses access: check tokenName and token."),
    (Code.GIT_NOT_FOUND, r"repository .* not found|error: 404|not appear to be a git repo",
     MISSING_OR_PRIVATE),
    (Code.GIT_NOT_FOUND, r"error: 30\d|update url base from redirection",
     "The address leads on to one that was not checked: use the repository's final address."),
    (Code.GIT_REF_NOT_FOUND, r"couldn't find remote ref|not our ref|no such remote ref",
     "The repository does not have this commit (any more), or never had it."),
    (Code.CONTEXT_INVALID, r"fsck|invalid path|bad tree|index-pack .*corrupt|hasDot",
     "The repository holds a damaged or dangerous object, and git refuses it"),
    (Code.INTERNAL, r"No space left on device|Disk quota exceeded|Permission denied$",
     "The worker cannot store the repository; its operator must make room"),
)  # fmt: skip
_NETWORK = re.compile(
    r"resolve host|connect to|Connection (refused|reset|timed out|closed)|timed out|too slow"
    r"|early EOF|RPC failed|hung up|disconnect|SSL|TLS|certificate|error: 5\d\d|unable to access"
    r"|Empty reply|HTTP/2|protocol error|expected flush|bad line length",
    re.IGNORECASE,
)


def failure_of(stderr: str, host: str) -> BuildFailed:
    """Read the end of git's standard error."""
    if _SHA_REFUSED.search(stderr):
        return ShaRefused(Code.GIT_REF_NOT_FOUND, "The server does not give out this commit.")
    for code, pattern, message in _PATTERNS:
        if re.search(pattern, stderr, re.IGNORECASE | re.MULTILINE):
            with_detail = not message.endswith(".")
            return BuildFailed(code, f"{message}: {_detail(stderr)}." if with_detail else message)
    if _NETWORK.search(stderr):
        return unreachable(host, _detail(stderr))
    return BuildFailed(Code.INTERNAL, f"git failed: {_detail(stderr)}.")


def unreachable(host: str, detail: str) -> BuildFailed:
    """The server's or the network's failure; another try may succeed."""
    return BuildFailed(Code.GIT_UNREACHABLE, UNREACHABLE.format(host=host, detail=detail))


def too_large(what: str) -> BuildFailed:
    """A limit of the operator's was passed."""
    return BuildFailed(
        Code.CONTEXT_TOO_LARGE,
        f"The repository is too large: {what}. Keep large files out of it, or ask the operator.",
    )


def _detail(stderr: str) -> str:
    """The line that names the reason; servers write what they like, so it is made printable."""
    lines = [line.strip() for line in stderr.splitlines() if line.strip()]
    telling = [line for line in lines if line.startswith(("fatal:", "error:"))] or lines[-1:]
    text = (telling or ["it gave no reason"])[0].removeprefix("fatal: ").removeprefix("error: ")
    return "".join(ch if ch.isprintable() else "?" for ch in text)[:300].rstrip(".")
