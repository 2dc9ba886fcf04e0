"""The names in a commit, without the files: a fetch that leaves the contents out is cheap."""

from dataclasses import dataclass, field
from os import fsdecode
from pathlib import PurePosixPath

from engine.git.manifest import records
from engine.git.program import Git
from engine.git.receive import receive
from engine.git.refs import Refs, Target
from engine.git.remote import Remote

_DIRECTORY = b"040000"
_OPAQUE = frozenset({b"120000", b"160000"})
_MOST_NAMED = 5


@dataclass(slots=True)
class Listing:
    """Every path of a commit by what it is; links and submodules hide what lies behind them."""

    files: set[str] = field(default_factory=set)
    directories: set[str] = field(default_factory=lambda: {"."})
    opaque: set[str] = field(default_factory=set)
    complete: bool = True

    def surely_lacks_file(self, place: PurePosixPath) -> bool:
        """Neither there, nor possibly behind a link."""
        return str(place) not in self.files and not self._hidden(place)

    def surely_lacks_directory(self, place: PurePosixPath) -> bool:
        """Neither there, nor possibly behind a link."""
        return str(place) not in self.directories and not self._hidden(place)

    @property
    def dockerfiles(self) -> list[str]:
        """Up to five files that look like one, those nearest to the root first."""
        named = [path for path in self.files if "dockerfile" in path.rpartition("/")[2].lower()]
        return sorted(named, key=lambda path: (path.count("/"), path))[:_MOST_NAMED]

    def _hidden(self, place: PurePosixPath) -> bool:
        above = {str(place), *(str(parent) for parent in place.parents)}
        return not self.complete or not self.opaque.isdisjoint(above)


async def list_commit(git: Git, remote: Remote, target: Target, refs: Refs) -> Listing:
    """Fetch the trees of one commit and read them. Raises BuildFailed as `receive` does."""
    sha = await receive(git, remote, target, refs, leave_out="blob:none")
    listing = Listing()
    count = 0
    async with git.stream("ls-tree", "-r", "-t", "-z", "--full-tree", sha) as chunks:
        async for record in records(chunks):
            _add(listing, record)
            count += 1
            if count >= git.policy.max_files:
                listing.complete = False
                break
    return listing


def _add(listing: Listing, record: bytes) -> None:
    meta, _, raw = record.partition(b"\t")
    mode = meta.split()[0]
    if mode == _DIRECTORY:
        listing.directories.add(fsdecode(raw))
    elif mode in _OPAQUE:
        listing.opaque.add(fsdecode(raw))
    else:
        listing.files.add(fsdecode(raw))
