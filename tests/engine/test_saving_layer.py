"""What the runtime made is not what the container wrote."""

import gzip
import hashlib
import io
import tarfile
from collections.abc import Iterable
from functools import partial

from engine.saving.node.layer import deleted_paths, is_below, mount_points, rewrite, survey
from models.enums import FileChange

KUBERNETES = [
    "/proc",
    "/dev",
    "/dev/pts",
    "/sys",
    "/etc/hosts",
    "/etc/hostname",
    "/etc/resolv.conf",
    "/var/run/secrets/kubernetes.io/serviceaccount",
]


def archive(*names: str | tarfile.TarInfo, content: bytes = b"x") -> io.BytesIO:
    """A layer in the order of its names; one that ends with `/` is a folder."""
    output = io.BytesIO()
    with tarfile.open(fileobj=output, mode="w", format=tarfile.PAX_FORMAT) as tar:
        for name in names:
            entry = name if isinstance(name, tarfile.TarInfo) else _entry(name, content)
            tar.addfile(entry, io.BytesIO(content) if entry.isreg() and entry.size else None)
    output.seek(0)
    return output


def _entry(name: str, content: bytes) -> tarfile.TarInfo:
    entry = tarfile.TarInfo(name.rstrip("/"))
    if name.endswith("/"):
        entry.type = tarfile.DIRTYPE
    elif ".wh." not in name and name not in ("etc/hosts", "etc/hostname", "etc/resolv.conf"):
        entry.size = len(content)
    return entry


def names_of(packed: bytes) -> list[str]:
    with tarfile.open(fileobj=io.BytesIO(packed), mode="r:gz") as tar:
        return tar.getnames()


def rewritten(layer: io.BytesIO, mounts: Iterable[str] = KUBERNETES) -> bytes:
    target = io.BytesIO()
    rewrite(layer, target, mount_points(list(mounts)), lambda _: True)
    return target.getvalue()


def test_mount_points_and_the_way_to_them_are_left_out() -> None:
    layer = archive(
        "dev/",
        "etc/",
        "etc/hostname",
        "etc/hosts",
        "etc/resolv.conf",
        "installed",
        "proc/",
        "sys/",
        "var/",
        "var/run/",
        "var/run/secrets/",
        "var/run/secrets/kubernetes.io/",
        "var/run/secrets/kubernetes.io/serviceaccount/",
    )
    assert names_of(rewritten(layer)) == ["installed"]


def test_a_folder_stays_that_leads_to_what_was_written_too() -> None:
    layer = archive("etc/", "etc/hosts", "etc/note", "var/", "var/run/", "var/run/pid")
    assert names_of(rewritten(layer)) == ["etc", "etc/note", "var", "var/run", "var/run/pid"]


def test_a_folder_beside_the_way_stays_though_it_is_empty() -> None:
    layer = archive("var/", "var/lib/", "var/run/", "var/run/secrets/")
    assert names_of(rewritten(layer)) == ["var", "var/lib"]


def test_a_modern_base_has_the_mount_point_below_run() -> None:
    path = "run/secrets/kubernetes.io/serviceaccount/"
    layer = archive("run/", "run/secrets/", "run/secrets/kubernetes.io/", path, "tmp/a")
    assert names_of(rewritten(layer)) == ["tmp/a"]


def test_deletions_stay() -> None:
    layer = archive("etc/", "etc/.wh.passwd", ".wh.opt")
    target = io.BytesIO()
    found = rewrite(layer, target, mount_points(KUBERNETES), lambda _: True)
    assert names_of(target.getvalue()) == ["etc", "etc/.wh.passwd", ".wh.opt"]
    assert [(change.path, change.kind, change.size) for change in found.changes] == [
        ("/etc/passwd", FileChange.DELETED, None),
        ("/opt", FileChange.DELETED, None),
    ]


def test_the_same_layer_has_the_same_digest_and_its_diff_id_is_of_the_plain_archive() -> None:
    target = io.BytesIO()
    found = rewrite(archive("etc/", "etc/note", "a"), target, frozenset(), lambda _: True)
    packed = target.getvalue()
    assert packed == rewritten(archive("etc/", "etc/note", "a"), mounts=())
    plain = gzip.decompress(packed)
    assert found.diff_id == f"sha256:{hashlib.sha256(plain).hexdigest()}"
    assert found.content == 2


def test_attributes_stay() -> None:
    entry = tarfile.TarInfo("bin/ping")
    entry.size, entry.mode, entry.uid, entry.mtime = 1, 0o4755, 3_000_000, 1_700_000_000.25
    capability = "\x01\x00\x00\x02\x00 \x00\x00\udcff"
    entry.pax_headers = {"SCHILY.xattr.security.capability": capability}
    link = tarfile.TarInfo("bin/ping6")
    link.type, link.linkname = tarfile.LNKTYPE, "bin/ping"
    packed = rewritten(archive("bin/", entry, link))
    with tarfile.open(fileobj=io.BytesIO(packed), mode="r:gz") as tar:
        found, hard = tar.getmember("bin/ping"), tar.getmember("bin/ping6")
    assert (found.mode, found.uid, found.mtime) == (0o4755, 3_000_000, 1_700_000_000.25)
    assert found.pax_headers["SCHILY.xattr.security.capability"] == capability
    assert hard.islnk()
    assert hard.linkname == "bin/ping"


def test_what_the_base_lacks_is_added_and_the_rest_changed() -> None:
    added = deleted_paths(archive("etc/", "etc/.wh.note", ".wh.opt"))
    assert added == {"etc/note", "opt"}
    layer = archive("etc/", "etc/note", "etc/passwd", "opt/", "opt/model/", "opt/model/weights")
    packed = io.BytesIO(gzip.compress(layer.getvalue()))
    found = survey(packed, partial(is_below, tops=added))
    assert {change.path: change.kind for change in found.changes} == {
        "/etc/note": FileChange.ADDED,
        "/etc/passwd": FileChange.CHANGED,
        "/opt/model/weights": FileChange.ADDED,
    }
