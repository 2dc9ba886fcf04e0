"""The folders that builds work in: one for each try, and none that outlives it."""

import contextlib
import re
import shutil
from pathlib import Path

from engine.services import Services
from models import RUNNING, Build
from models.enums import BuildStatus

_NAME = re.compile(r"build-(?P<id>\d+)-(?P<fence>\d+)")
_GOING = ".gone"


def work_folder(services: Services) -> Path:
    """Where the folders of builds stand."""
    return services.settings.data_dir / "work"


def folder_name(build: Build) -> str:
    """The name that this claim's folder has; no other claim has the same."""
    return f"build-{build.id}-{build.fence}"


def remove(folder: Path) -> None:
    """Remove a try's folder, though a thread may still write into it. Blocking.

    A thread cannot be interrupted. Under another name the folder is out of its reach: the next
    file that it opens is not there, and it ends.
    """
    going = folder.with_name(folder.name + _GOING)
    with contextlib.suppress(FileNotFoundError):
        folder.rename(going)
    shutil.rmtree(going, ignore_errors=True)


async def abandoned(services: Services) -> list[Path]:
    """Folders whose build is not worked on under that claim any more: a kill left them."""
    found = []
    with contextlib.suppress(FileNotFoundError):
        for folder in work_folder(services).iterdir():
            if not (named := _NAME.match(folder.name)):
                continue
            claim = Build.filter(id=int(named["id"]), fence=int(named["fence"]))
            if not await claim.filter(status__in=(*RUNNING, BuildStatus.CANCELING)).exists():
                found.append(folder)
    return found
