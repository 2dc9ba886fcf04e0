"""What a page's address points at: its folder is built, its file is the Dockerfile."""

from collections.abc import Callable
from dataclasses import replace

from engine.git.request import GitRequest

_USUAL = GitRequest(url="")


def with_place(request: GitRequest, place: str, is_file: Callable[[str], bool]) -> GitRequest:
    """The request, completed by the place within the repository that its address points at.

    A path that the user gave wins. `is_file` tells of a path whether the repository has such a
    file; in the page's folder, the Dockerfile of that folder is meant before the one at the root.
    """
    place = place.strip("/")
    if not place:
        return request
    usual_file = request.dockerfile_path.lstrip("/") == _USUAL.dockerfile_path
    if is_file(place):
        return replace(request, dockerfile_path=place) if usual_file else request
    if request.context_path.strip("/"):
        return request
    inside = f"{place}/{request.dockerfile_path.lstrip('/')}"
    found = inside if is_file(inside) else request.dockerfile_path
    return replace(request, context_path=place, dockerfile_path=found)
