"""Git sources, from outside: look at one (`check`), fetch it (`fetch`), find places in it."""

from engine.git.check import check
from engine.git.fetch import fetch
from engine.git.policy import GitPolicy
from engine.git.request import GitCommit, GitFetch, GitRequest
from engine.git.tree import FoundDockerfile, context_directory, find_dockerfile

__all__ = [
    "FoundDockerfile",
    "GitCommit",
    "GitFetch",
    "GitPolicy",
    "GitRequest",
    "check",
    "context_directory",
    "fetch",
    "find_dockerfile",
]
