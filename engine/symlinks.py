"""Whether a symbolic link stays inside the directory that it belongs to."""

from collections.abc import Mapping

# Linux gives up on a path after this many links (path_resolution(7)), so nothing follows more.
_MOST_HOPS = 40


def leaves(name: str, links: Mapping[str, str]) -> bool:
    """Whether following the link `name` ends, or passes, outside the root.

    `links` maps every link of the tree, by its path from the root, to its target. Other links on
    the way are followed too: `a/up/../x` is harmless unless `a/up` is a link to the root. Nothing
    is read from the disk, so the answer is known before any link is made.
    """
    here = name.split("/")[:-1]
    ahead = _steps(links[name])
    hops = 0
    while ahead:
        step = ahead.pop()
        if step == "/" or (step == ".." and not here):
            return True
        if step == "..":
            here.pop()
            continue
        target = links.get("/".join([*here, step]))
        if target is None:
            here.append(step)
            continue
        hops += 1
        if hops > _MOST_HOPS:
            return False
        ahead.extend(_steps(target))
    return False


def _steps(target: str) -> list[str]:
    """The parts of a target, the next one last; a leading "/" is a part of its own."""
    parts = [part for part in target.split("/") if part not in ("", ".")]
    if target.startswith("/"):
        parts.insert(0, "/")
    return parts[::-1]
