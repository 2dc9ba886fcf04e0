"""Which directory of an unpacked archive is the context."""

import os
from pathlib import Path

# What macOS adds beside the content.
_NOT_CONTENT = {"__MACOSX", ".DS_Store"}


def context_root(directory: Path, dockerfile_path: str) -> Path:
    """The context: `directory`, or the one directory in it that holds everything.

    Archives from GitHub and GitLab put all into `name-commit/`. That directory is the context
    unless the Dockerfile is found from the top.
    """
    if os.path.isfile(directory / dockerfile_path):
        return directory
    content = [path for path in directory.iterdir() if path.name not in _NOT_CONTENT]
    if len(content) == 1 and content[0].is_dir() and not content[0].is_symlink():
        return content[0]
    return directory
