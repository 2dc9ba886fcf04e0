"""From a commit in a bare repository to files in a directory, and to words about the commit."""

import asyncio
from datetime import UTC, datetime
from pathlib import Path

from engine.git.manifest import Manifest
from engine.git.program import Git
from engine.git.progress import Say
from engine.git.request import GitCommit
from engine.git.tree import leaving_links

_FORMAT = "%H%x00%an <%ae>%x00%cI%x00%B"


async def check_out(git: Git, sha: str, manifest: Manifest, into: Path, say: Say) -> None:
    """Write the commit's files. `into` gets no `.git`: the repository stays outside."""
    await git.output(f"--work-tree={into}", "checkout", "--force", "--quiet", "--detach", sha)
    leaving = await asyncio.to_thread(leaving_links, into, manifest.links)
    if leaving:
        shown = ", ".join(leaving[:3]) + (", …" if len(leaving) > 3 else "")
        await say(
            f"Symbolic links that point out of the repository: {len(leaving)} ({shown}). "
            "They stay links, and are not followed."
        )


async def describe(git: Git, sha: str) -> GitCommit:
    """The commit's author, message and time."""
    shown = await git.output(
        "show", "--no-patch", "--no-show-signature", "--no-notes", f"--format={_FORMAT}", sha
    )
    full, author, when, message = shown.decode(errors="replace").split("\0", 3)
    return GitCommit(full, author, message.strip(), _utc(when))


def _utc(text: str) -> datetime:
    try:
        return datetime.fromisoformat(text).astimezone(UTC)
    except (ValueError, OverflowError):  # commits may claim any time at all
        return datetime.fromtimestamp(0, UTC)
