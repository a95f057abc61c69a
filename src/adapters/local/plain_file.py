"""
Regular files that the user's own programs left at a name, opened to be read or written again.

Another process may have put something else there meanwhile: a pipe, on which opening or writing blocks for ever, a
device, a folder. Those are refused, and opening never blocks.
"""

from __future__ import annotations

import errno
import io
import os
import stat
from collections.abc import Iterator
from pathlib import Path

from ...domain.errors.client import FolderUnusable, LocalDiskFull

_BLOCK_BYTES = 1 << 20
_NO_WAITING = os.O_NONBLOCK | os.O_NOCTTY | os.O_CLOEXEC


def open_plain(place: Path, flags: int, mode: int = 0o600, *, folder: int | None = None) -> io.FileIO:
    """
    The file at *place*, opened with *flags*, and created with *mode* if they ask for it. With *folder*, the last name
    of *place* is looked up in the folder of that descriptor.

    Raises:
        FolderUnusable: it is not a regular file.
        OSError: it cannot be opened.
    """
    name = place if folder is None else place.name
    try:
        opened = os.open(name, flags | _NO_WAITING, mode, dir_fd=folder)
    except OSError as error:
        if error.errno in (errno.ENXIO, errno.EISDIR):  # a pipe without a reader, a folder
            raise _no_plain_file(place) from error
        raise
    if not stat.S_ISREG(os.fstat(opened).st_mode):
        os.close(opened)
        raise _no_plain_file(place)
    return io.FileIO(opened, {os.O_RDONLY: "r", os.O_WRONLY: "w", os.O_RDWR: "r+"}[flags & os.O_ACCMODE])


def blocks_of(file: io.FileIO) -> Iterator[bytes]:
    """The content of *file*, from its first byte on, in blocks of at most 1 MiB."""
    start = 0
    while block := os.pread(file.fileno(), _BLOCK_BYTES, start):
        start += len(block)
        yield block


def write_whole(file: io.FileIO, block: bytes) -> None:
    """Write *block*, in as many system calls as it takes. Raises OSError."""
    rest = memoryview(block)
    while rest:
        rest = rest[file.write(rest) :]


def check_room(file: io.FileIO, missing_bytes: int, folder: Path) -> None:
    """Raises LocalDiskFull if *missing_bytes* do not fit beside *file* in *folder*: better now than hours later."""
    free = os.fstatvfs(file.fileno())
    free_bytes = free.f_bavail * free.f_frsize
    if missing_bytes > free_bytes:
        raise LocalDiskFull(str(folder), missing_bytes, free_bytes)


def _no_plain_file(place: Path) -> FolderUnusable:
    return FolderUnusable(str(place), "it is not a regular file; remove it")
