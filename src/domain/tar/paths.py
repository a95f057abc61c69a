"""
What the listings of one archive say about another: where a directory was before.

GNU tar writes the renames of directories down as steps to carry out. Read here is what it meant by them, which
directory each one was before: the steps it writes for several renames that touch each other may come twice, or in an
order that cannot be carried out, and for a circle of three names they do.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import TypeAlias

MAX_NAME_BYTES = 255
"""A name takes that much in every file system of Linux."""

MAX_PATH_BYTES = 4095
"""Longer paths cannot be given to Linux in one piece, so tar cannot extract them either."""

MAX_LEVELS = 512
"""Every step of a path may cost its length, so the square of this is what a path costs at most."""


MAX_HELD_BYTES = 128 << 20
"""Of names and paths of directories that are held at once, with what follows: 3 million files of a usual tree."""

NAME_BYTES, DIRECTORY_BYTES = 20, 100
"""What a name and a directory count for beside their own bytes. In memory they take about four times of it all."""


def canonical(path: bytes) -> bytes:
    """
    *path* as tar extracts it: from the root of the archive, without ``.`` and doubled slashes; b"" is the root.

    So ``./a``, ``/a`` and ``a`` are one name.
    """
    if path[:1] in b"./" or b"//" in path or b"/." in path or path[-1:] == b"/":
        return b"/".join(part for part in path.split(b"/") if part not in (b"", b"."))
    return path


def is_placeable(path: bytes) -> bool:
    """Tar can extract something at *path*: the path, each name in it and its depth are within what Linux takes."""
    if len(path) <= MAX_NAME_BYTES:
        return True
    return (
        len(path) <= MAX_PATH_BYTES
        and path.count(b"/") <= MAX_LEVELS
        and max(map(len, path.split(b"/"))) <= MAX_NAME_BYTES
    )


def is_target(link: bytes) -> bool:
    """A symbolic link can be made to *link*."""
    return 0 < len(link) <= MAX_PATH_BYTES


def split(path: bytes) -> tuple[bytes, bytes]:
    """The directory and the name in it."""
    directory, _, name = path.rpartition(b"/")
    return directory, name


def join(directory: bytes, name: bytes) -> bytes:
    return directory + b"/" + name if directory else name


Directories: TypeAlias = Callable[[], Sequence[bytes]]
"""Gives the paths of all directories of an archive, ascending."""


def relative(name: bytes) -> bytes:
    """*name* of a header or a rename as it is told everywhere: without leading ``./``, without slashes at its end."""
    if name[-1:] == b"/":
        name = name.rstrip(b"/") or b"/"
    if name[:1] == b".":
        while name[:2] == b"./":
            name = name[2:].lstrip(b"/")
        if name == b".":
            return b""
    return name
