"""Errors of the operating system, translated to errors of the domain."""

from __future__ import annotations

import errno
import os
from collections.abc import Iterator
from contextlib import contextmanager

from ...domain.errors.archives import ArchiveNotFound
from ...domain.errors.capacity import BackendUnavailable, InsufficientStorage, ReadOnly
from ...domain.identity.archive_id import ArchiveId
from ...domain.tarkeep_error import TarkeepError

_FULL = frozenset({errno.ENOSPC, errno.EDQUOT})


_UNWRITABLE = frozenset({errno.EROFS, errno.EACCES, errno.EPERM})


# The last four mean that a symbolic link, a directory, a socket or the like has the name: not an archive.
_NO_ARCHIVE = frozenset({errno.ENOENT, errno.ENOTDIR, errno.ELOOP, errno.EISDIR, errno.ENXIO})


@contextmanager
def translated(*, writing: bool = False, looking_for: ArchiveId | None = None) -> Iterator[None]:
    """
    Turn an `OSError` of the block into the domain error that a caller can act on.

    *writing* says that a permission error means the store is read-only, *looking_for* that a missing file means there
    is no such archive. The original error, which may name a path, is only the cause of the new one.

    Raises:
        InsufficientStorage, ReadOnly, ArchiveNotFound, BackendUnavailable: as the error number says.
    """
    try:
        yield
    except OSError as error:
        raise _translation(error, writing, looking_for) from error


def _translation(error: OSError, writing: bool, looking_for: ArchiveId | None) -> TarkeepError:
    if error.errno in _FULL:
        return InsufficientStorage()
    if writing and error.errno in _UNWRITABLE:
        return ReadOnly()
    if looking_for is not None and error.errno in _NO_ARCHIVE:
        return ArchiveNotFound(str(looking_for))
    return BackendUnavailable("store", os.strerror(error.errno) if error.errno else "unknown error")
