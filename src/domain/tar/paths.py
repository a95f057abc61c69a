"""
Paths in a tar: their spelling, how they split and join, and the limits within which tar can extract them.

A path that breaks a limit cannot be extracted on Linux. Names held in memory are counted against a budget, so that a
hostile archive cannot exhaust it.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import TypeAlias

MAX_NAME_BYTES = 255
"""The longest name that file systems of Linux take."""

MAX_PATH_BYTES = 4095
"""Linux takes no longer path in one system call, so tar cannot extract one either."""

MAX_LEVELS = 512
"""Every step of a path may cost its length, so a path costs at most the square of this."""


MAX_HELD_BYTES = 128 << 20
"""Names and paths of directories held at once, counted by the two weights below: 3 million files of a usual tree."""

NAME_BYTES, DIRECTORY_BYTES = 20, 100
"""What a name and a directory count beside their own bytes. The memory they take is about four times the count."""


def canonical(path: bytes) -> bytes:
    """
    *path* as tar extracts it: from the root of the archive, without ``.`` and doubled slashes; b"" is the root.

    So ``./a``, ``/a`` and ``a`` are one name.
    """
    if path[:1] in b"./" or b"//" in path or b"/." in path or path[-1:] == b"/":
        return b"/".join(part for part in path.split(b"/") if part not in (b"", b"."))
    return path


def is_placeable(path: bytes) -> bool:
    """Whether tar can extract something at *path*: Linux takes the path, each name in it and its depth."""
    if len(path) <= MAX_NAME_BYTES:
        return True
    return (
        len(path) <= MAX_PATH_BYTES
        and path.count(b"/") <= MAX_LEVELS
        and max(map(len, path.split(b"/"))) <= MAX_NAME_BYTES
    )


def is_at_or_below(path: bytes, below: bytes) -> bool:
    """Whether *path* is *below*, or something in it; both are canonical, and b"" is the root."""
    return not below or path == below or path.startswith(below + b"/")


def is_target(link: bytes) -> bool:
    """Whether a symbolic link can point to *link*."""
    return 0 < len(link) <= MAX_PATH_BYTES


def split(path: bytes) -> tuple[bytes, bytes]:
    """The directory and the name within it."""
    directory, _, name = path.rpartition(b"/")
    return directory, name


def join(directory: bytes, name: bytes) -> bytes:
    return directory + b"/" + name if directory else name


Directories: TypeAlias = Callable[[], Sequence[bytes]]
"""Gives the paths of all directories of an archive, ascending."""


def relative(name: bytes) -> bytes:
    """*name* from a header or a rename in the spelling used everywhere: no leading ``./``, no slashes at its end."""
    if name[-1:] == b"/":
        name = name.rstrip(b"/") or b"/"
    if name[:1] == b".":
        while name[:2] == b"./":
            name = name[2:].lstrip(b"/")
        if name == b".":
            return b""
    return name
