"""
Directories in every detail that a tar keeps, for comparison.

A portrait maps the path of each name below a root to its `Look`. Two portraits are equal if the directories differ only
in inode numbers and in times that tar does not restore.
"""

from __future__ import annotations

import os
import stat
from pathlib import Path

from attrs import evolve, frozen

Portrait = dict[bytes, "Look"]

_TYPES = {
    stat.S_IFREG: "file",
    stat.S_IFDIR: "directory",
    stat.S_IFLNK: "symlink",
    stat.S_IFIFO: "fifo",
}


@frozen
class Look:
    """Everything visible of one name; *links* are all names of its inode, empty for a fifo, which tar never links."""

    type: str
    content: bytes
    mode: int
    owner: tuple[int, int]
    mtime_ns: int
    links: tuple[bytes, ...]
    attributes: tuple[tuple[str, bytes], ...]


def portrait(root: Path) -> Portrait:
    """*root* itself, under its own name, and everything below it."""
    top = os.fsencode(root)
    names = [top]
    for directory, subdirectories, files in os.walk(top):
        names += [os.path.join(directory, name) for name in subdirectories + files]  # noqa: PTH118  names of bytes
    seen = {os.path.relpath(name, os.fsencode(root.parent)): (name, os.lstat(name)) for name in names}
    inodes: dict[tuple[int, int], list[bytes]] = {}
    for path, (_, status) in seen.items():
        inodes.setdefault((status.st_dev, status.st_ino), []).append(path)
    return {
        path: Look(
            _TYPES[stat.S_IFMT(status.st_mode)],
            _content(name, status.st_mode),
            stat.S_IMODE(status.st_mode),
            (status.st_uid, status.st_gid),
            status.st_mtime_ns,
            () if stat.S_ISFIFO(status.st_mode) else tuple(sorted(inodes[status.st_dev, status.st_ino])),
            _attributes(name),
        )
        for path, (name, status) in seen.items()
    }


def _content(name: bytes, mode: int) -> bytes:
    if stat.S_ISLNK(mode):
        return os.readlink(name)  # noqa: PTH115
    if stat.S_ISREG(mode):
        with open(name, "rb") as file:  # noqa: PTH123
            return file.read()
    return b""


def _attributes(name: bytes) -> tuple[tuple[str, bytes], ...]:
    found = os.listxattr(name, follow_symlinks=False)
    return tuple(sorted((key, os.getxattr(name, key, follow_symlinks=False)) for key in found))


def to_the_second(of: Portrait) -> Portrait:
    """With times as the gnu format keeps them."""
    return {path: evolve(look, mtime_ns=look.mtime_ns // 10**9 * 10**9) for path, look in of.items()}


def without_attributes(of: Portrait, *, of_directories_only: bool = False) -> Portrait:
    return {
        path: look if of_directories_only and look.type != "directory" else evolve(look, attributes=())
        for path, look in of.items()
    }


def without_times_of_directories(of: Portrait) -> Portrait:
    return {path: evolve(look, mtime_ns=0) if look.type == "directory" else look for path, look in of.items()}
