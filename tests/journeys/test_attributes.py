"""
What `tarkeep restore`, the script and restore.tar keep of files besides their contents: everything in the archives.

Modes and the bits above them, owners, times of files and of directories, holes, devices, links, extended attributes,
ACLs and capabilities; also if only these changed, in each type of archive and each format that can hold them.
"""

from __future__ import annotations

import os
import shutil
import stat
import subprocess
from pathlib import Path
from typing import NamedTuple

import pytest

from tests.support.desk import Desk

AS_ROOT = pytest.mark.skipif(os.geteuid() != 0, reason="needs root, to give files away")
FORMS = [("INC", "--format=gnu"), ("DIFF", "--format=posix")]
KEEP_ALL = ("--xattrs", "--xattrs-include=*", "--acls")


class Look(NamedTuple):
    """A file without its content; *time* is in nanoseconds or seconds, *holes* means that it takes less than half."""

    type: int
    mode: int
    owner: tuple[int, int]
    time: int
    target: str
    device: int
    size: int
    holes: bool
    linked: bytes
    attributes: dict[str, bytes]


def attributes(root: Path, unit: int = 1) -> dict[bytes, Look]:
    """Everything below *root*, with times in *unit*. For a file with several names, *linked* is the first one."""
    found: dict[bytes, Look] = {}
    first: dict[int, bytes] = {}
    for path in sorted(root.rglob("*")):
        name, status = os.fsencode(path.relative_to(root)), path.lstat()
        is_link, is_file = stat.S_ISLNK(status.st_mode), stat.S_ISREG(status.st_mode)
        found[name] = Look(
            stat.S_IFMT(status.st_mode),
            stat.S_IMODE(status.st_mode),
            (status.st_uid, status.st_gid),
            status.st_mtime_ns // unit,
            str(path.readlink()) if is_link else "",
            status.st_rdev,
            status.st_size if is_file else 0,
            is_file and status.st_blocks * 512 * 2 < status.st_size,
            first.setdefault(status.st_ino, name),
            {key: os.getxattr(path, key) for key in os.listxattr(path)} if not is_link else {},
        )
    return found


def unit_of(form: str) -> int:
    """The gnu format has no fractions of a second."""
    return 10**9 if form == "--format=gnu" else 1


def check(desk: Desk, expected: dict[str, dict[bytes, Look]], unit: int = 1) -> None:
    """Each way restores each point as it was."""
    for point, live in expected.items():
        with desk.restored(point, merging=True) as ways:
            for way, place in ways.items():
                assert attributes(place, unit) == live, (point, way)


CHANGES: dict[str, tuple[str, str]] = {
    "modes": (
        "echo s >src/suid; chmod 4755 src/suid; echo g >src/sgid; chmod 2711 src/sgid; echo n >src/none; "
        "chmod 0 src/none; mkdir src/shared src/tmp src/shut; chmod 2775 src/shared; chmod 1777 src/tmp; "
        "echo x >src/shut/x; chmod 500 src/shut",
        "chmod 2755 src/suid; chmod 4711 src/sgid; chmod 1700 src/shared; chmod 2777 src/tmp; chmod 555 src/shut",
    ),
    "times": (
        "mkdir -p src/old/deep src/empty; echo x >src/old/deep/x; ln -s x src/old/link; "
        "touch -h -d '1999-12-31 23:59:59.123456789' src/old/link; touch -d 2001-02-03 src/old/deep/x; "
        "touch -d 1971-01-01 src/empty; touch -d '2000-01-01 00:00:00.5' src/old/deep; touch -d 1985-05-05 src/old src",
        "echo n >src/old/deep/n; touch -d 2011-11-11 src/old/deep; touch -d 2012-12-12 src/empty; "
        "touch -d 1999-01-01 src",
    ),
    "holes": (
        "truncate -s 4M src/hole; echo end >>src/hole; truncate -s 1M src/nothing; "
        "head -c 70000 /dev/zero >src/zeros; "
        "(echo a; head -c 8000000 /dev/zero; echo z) | cp --sparse=always /dev/stdin src/two",
        "echo middle | dd of=src/hole bs=1 seek=2000000 conv=notrunc; truncate -s 3M src/nothing",
    ),
    "links": (
        "echo x >src/a; ln src/a src/b; mkdir src/d; ln src/a src/d/c; ln -s nowhere src/broken; "
        "ln -s /etc/passwd src/out; mkfifo src/pipe",
        "ln src/a src/later; rm src/b; ln -sf elsewhere src/broken; chmod 600 src/pipe; touch src/a",
    ),
}


@pytest.mark.parametrize(("type", "form"), FORMS)
@pytest.mark.parametrize(("made", "changed"), CHANGES.values(), ids=CHANGES)
def test_what_a_file_is_besides_its_content(desk: Desk, made: str, changed: str, type: str, form: str) -> None:
    """At the FULL, and after a change of that alone."""
    unit, sparse = unit_of(form), ("--sparse",)
    desk.do(f"umask 022; mkdir src; echo a >src/always; {made}")
    desk.dump("FULL", form, *sparse, "src")
    first = attributes(desk.live, unit)
    desk.do(changed)
    desk.dump(type, form, *sparse, "src")
    full, other = desk.points()

    check(desk, {full: first, other: attributes(desk.live, unit)}, unit)


@AS_ROOT
@pytest.mark.parametrize(("type", "form"), FORMS)
def test_whose_a_file_is(desk: Desk, type: str, form: str) -> None:
    """For users and groups unknown to this machine, also of links and directories; and for devices."""
    unit = unit_of(form)
    desk.do(
        "mkdir -p src/d; echo x >src/d/x; ln -s x src/link; mknod src/null c 1 3; mknod src/loop b 7 0; "
        "chown 12345:54321 src/d src/d/x; chown -h 2000000:3000000 src/link; chmod 6755 src/d/x; "
        "touch -d 2001-01-01 src/d src"
    )
    desk.dump("FULL", form, "src")
    first = attributes(desk.live, unit)
    desk.do("chown 65534:0 src/d src/d/x; chmod 4711 src/d/x; chown -h 1:1 src/link; rm src/loop; mknod src/loop b 7 1")
    desk.dump(type, form, "src")
    full, other = desk.points()

    check(desk, {full: first, other: attributes(desk.live, unit)}, unit)


@pytest.mark.usefixtures("attribute_tools")
@pytest.mark.parametrize("listed", [True, False], ids=["with listings", "plain"])
@pytest.mark.parametrize("type", ["INC", "DIFF"])
def test_extended_attributes_and_acls(desk: Desk, type: str, listed: bool) -> None:
    """Of files and directories, also inherited ones; binary, empty, and changed alone."""
    desk.do(
        "mkdir -p src/d src/e; echo x >src/x; echo y >src/d/y; echo z >src/e/z; chmod 640 src/x; "
        "setfattr -n user.word -v value src/x; setfattr -n user.bytes -v 0x00ff0a3d src/x; "
        "setfattr -n user.empty src/d; "
        "setfacl -m u:1:rw src/x; setfacl -m g:7:rx,d:g:7:rwx,d:o::- src/d; echo i >src/d/inherits; "
        "setfattr -n user.k -v v src/d/y"
    )
    snapshot = "snapshot" if listed else None
    desk.dump("FULL", "--format=posix", *KEEP_ALL, "src", snapshot=snapshot, proven=listed)
    first = attributes(desk.live)
    desk.do("setfattr -n user.word -v other src/x; setfattr -x user.k src/d/y; setfacl -m g:7:r,u:5:x src/d")
    desk.do("setfacl -b src/x; setfacl -m u:2:r src/e/z; setfattr -n user.empty -v 0x00 src/d; touch src/e src/d")
    desk.dump(type, "--format=posix", *KEEP_ALL, "src", snapshot=snapshot, proven=listed)
    full, other = desk.points()

    check(desk, {full: first, other: attributes(desk.live)})


@pytest.mark.usefixtures("attribute_tools")
def test_an_attribute_that_a_directory_has_no_more(desk: Desk) -> None:
    """tar removes no attribute from an existing directory, so the server merges."""
    desk.do("mkdir -p src/d; echo x >src/d/x; setfattr -n user.gone -v 1 src/d; setfattr -n user.kept -v 2 src/d")
    desk.dump("FULL", "--format=posix", *KEEP_ALL, "src")
    desk.do("setfattr -x user.gone src/d; touch src/d")
    desk.dump("INC", "--format=posix", *KEEP_ALL, "src")

    with desk.restored(list(desk.points())[-1], merging=True) as ways:
        found = {way: set(attributes(place)[b"src/d"].attributes) for way, place in ways.items()}
    assert set(map(frozenset, found.values())) == {frozenset({"user.kept"})}


@AS_ROOT
@pytest.mark.skipif(shutil.which("setcap") is None, reason="needs setcap")
def test_capabilities(desk: Desk) -> None:
    """They are lost if the owner is set after them."""
    desk.do("mkdir src; cp /bin/true src/ping; chown 12345:54321 src/ping; setcap cap_net_raw+ep src/ping")
    desk.dump("FULL", "--format=posix", *KEEP_ALL, "src")
    live = attributes(desk.live)
    assert "security.capability" in live[b"src/ping"].attributes

    check(desk, {list(desk.points())[-1]: live})


@pytest.mark.parametrize("way", ["--format=posix", "--format=gnu"])
def test_a_part_keeps_as_much(desk: Desk, way: str, tmp_path: Path) -> None:
    """`--path` and `restore.tar?path=`, for an INC that holds only half of the files."""
    unit = unit_of(way)
    desk.do("mkdir -p src/d/e; echo x >src/d/e/x; chmod 2750 src/d; echo y >src/d/y; chmod 4711 src/d/y")
    desk.do("touch -d 2003-03-03 src/d/y src/d/e src/d")
    desk.dump("FULL", way, "src")
    desk.do("echo n >src/d/e/n; touch -d 2004-04-04 src/d/e")
    desk.dump("INC", way, "src")
    live = {path: look for path, look in attributes(desk.live, unit).items() if path.startswith(b"src/d")}

    ran = desk.machine.run("restore", desk.profile, "--path", "src/d", "--into", str(tmp_path / "client"))
    assert ran.returncode == 0, ran.stderr
    tar = desk.client.get(f"{desk.url}/restore.tar", params={"path": "src/d"}).content
    (tmp_path / "tar").mkdir()
    subprocess.run(["tar", "-xp", "-C", str(tmp_path / "tar"), "-f-"], input=tar, check=True)
    for place in ("client", "tar"):
        found = attributes(tmp_path / place, unit)
        assert {path: look for path, look in found.items() if path.startswith(b"src/d")} == live
