"""
Reading what the disk has, and not what the page cache remembers of it.

Before a file is read, and after every few blocks of it, the kernel is told to drop its pages: otherwise a read shortly
after another one checks the memory of the machine, and a scrub of a large store pushes out of the cache what people
need. Pages that are still to be written are not dropped; whatever is published was made durable, so none are.
"""

from __future__ import annotations

import errno
import io
import os
from collections.abc import Iterator
from contextlib import suppress
from types import TracebackType

from attrs import frozen

from ....domain.errors.archives import ArchiveCorrupt
from ....domain.identity.archive_id import ArchiveId
from ...process.os_errors import translated
from ..open_files import open_regular
from .archive_files import files_beside

BLOCK_BYTES = 1 << 20
_DROPPED_BYTES = 4 << 20
_ANY_FILE = os.O_RDONLY | os.O_CLOEXEC | os.O_NOFOLLOW | os.O_NONBLOCK


def read_medium(id: ArchiveId, directory: int, *, is_soon: bool = False) -> MediumReader:
    """
    A reader of the bytes of *id* in *directory*, with nothing cached of them, nor of what lies beside them.

    If it *is_soon* to be read, what is small of these is on its way from the disk when this returns.

    Raises:
        FileNotFoundError: it is not there.
    """
    for name in files_beside(id):
        try:
            descriptor = os.open(name, _ANY_FILE, dir_fd=directory)
        except OSError:  # most archives have neither snapshot file nor marks
            continue
        (_fetch if is_soon else _drop_pages)(descriptor)
        os.close(descriptor)
    file = open_regular(id.name, directory)
    size_bytes = os.fstat(file.fileno()).st_size
    (_fetch if is_soon and size_bytes <= BLOCK_BYTES else _drop_pages)(file.fileno())
    return MediumReader(id, file, size_bytes)


@frozen(eq=False)
class MediumReader:
    """`ArchiveReader` of a whole file; whatever it reads is dropped from the page cache."""

    _id: ArchiveId
    _file: io.FileIO
    size_bytes: int

    def __iter__(self) -> Iterator[bytes]:
        position = 0
        while position < self.size_bytes:
            with translated():
                block = self._block(position)
            if not block:
                raise ArchiveCorrupt(self._id)
            position += len(block)
            if position % _DROPPED_BYTES == 0:
                # From the start: what the kernel read ahead in pages larger than a block is dropped only as a whole.
                _drop_pages(self._file.fileno(), 0, position)
            yield block

    def _block(self, position: int) -> bytes:
        try:
            return os.pread(self._file.fileno(), min(BLOCK_BYTES, self.size_bytes - position), position)
        except OSError as error:
            if error.errno != errno.EIO:
                raise
            raise ArchiveCorrupt(self._id) from error  # the disk can no longer read these bytes

    def __enter__(self) -> MediumReader:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        _drop_pages(self._file.fileno())  # what the kernel read ahead
        self._file.close()


def _drop_pages(descriptor: int, start: int = 0, length: int = 0) -> None:
    """Drop so many bytes of a file from the page cache; a *length* of 0 is up to the end."""
    with suppress(OSError):  # a file system without a page cache has nothing to drop
        os.posix_fadvise(descriptor, start, length, os.POSIX_FADV_DONTNEED)


def _fetch(descriptor: int) -> None:
    """Drop a file from the page cache, and have the kernel read the beginning of it again, without waiting for it."""
    try:
        os.posix_fadvise(descriptor, 0, 0, os.POSIX_FADV_DONTNEED)
        os.posix_fadvise(descriptor, 0, BLOCK_BYTES, os.POSIX_FADV_WILLNEED)
    except OSError:
        pass
