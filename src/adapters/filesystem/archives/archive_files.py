"""
The files of one archive, side by side in a directory: its bytes, and beside them what is known of it.

The rule: the bytes make the archive. What lies beside is linked before them and unlinked after them, so that whoever
sees an archive finds what belongs to it, also after a crash; what lies there without an archive means nothing.
"""

from __future__ import annotations

import os
import stat
from contextlib import ExitStack

from ....domain.identity.archive_id import ArchiveId
from ....domain.ports.store import LyingBeside, StoredArchive
from ..open_files import is_regular, read_whole, unlink

SIDECAR_SUFFIX = ".json"
SNAPSHOT_SUFFIX = ".snar"
MARKS_SUFFIX = ".marks"

_BESIDE = (SNAPSHOT_SUFFIX, MARKS_SUFFIX, SIDECAR_SUFFIX)


def files_beside(id: ArchiveId) -> tuple[str, ...]:
    """The names of what may lie beside *id*."""
    return tuple(id.name + suffix for suffix in _BESIDE)


def look_at(id: ArchiveId, directory: int) -> StoredArchive | None:
    """The archive that lies there under *id*, with the side-car of those very bytes; None if no archive does."""
    seen = is_regular(id.name, directory)
    while seen is not None:
        sidecar = read_whole(id.name + SIDECAR_SUFFIX, directory)
        has_snapshot = is_regular(id.name + SNAPSHOT_SUFFIX, directory) is not None
        # Checked again, because the archive may have been removed since, and even another one published.
        still = is_regular(id.name, directory)
        if still is not None and (still.st_ino, still.st_mtime_ns) == (seen.st_ino, seen.st_mtime_ns):
            return StoredArchive(id, seen.st_size, sidecar, has_snapshot)
        seen = still
    return None


def look_beside(id: ArchiveId, directory: int) -> LyingBeside | None:
    """What lies there beside *id*, all of it with the same bytes; None if no archive lies there."""
    seen = is_regular(id.name, directory)
    while seen is not None:
        beside = LyingBeside(read_whole(id.name + SIDECAR_SUFFIX, directory), read_marks(id, directory))
        still = is_regular(id.name, directory)  # what lies beside an archive leaves after it
        if still is not None and (still.st_ino, still.st_mtime_ns) == (seen.st_ino, seen.st_mtime_ns):
            return beside
        seen = still
    return None


def read_marks(id: ArchiveId, directory: int) -> bytes | None:
    """The marks beside *id*, None without any; marks that are no regular file are empty, which nobody can read."""
    name = id.name + MARKS_SUFFIX
    try:
        found = os.stat(name, dir_fd=directory, follow_symlinks=False)
    except FileNotFoundError:
        return None
    return read_whole(name, directory) if stat.S_ISREG(found.st_mode) else b""


def is_there(id: ArchiveId, directory: int | None) -> bool:
    """Whether an archive lies in *directory* under *id*; None is no directory."""
    return directory is not None and is_regular(id.name, directory) is not None


def names_beside(id: ArchiveId) -> tuple[str, ...]:
    """The names of what may lie beside the archive *id*."""
    return tuple(id.name + suffix for suffix in _BESIDE)


def is_beside(id: ArchiveId, directory: int) -> bool:
    """Whether anything lies in *directory* that belongs beside the archive *id*."""
    return any(is_regular(name, directory) is not None for name in names_beside(id))


def are_one_file(name: str, here: int, there: int) -> bool:
    """Whether *name* means the same file in two directories."""
    one, other = is_regular(name, here), is_regular(name, there)
    return one is not None and other is not None and (one.st_dev, one.st_ino) == (other.st_dev, other.st_ino)


def link_files(id: ArchiveId, source: int, target: int, undo: ExitStack, *, anew: bool) -> None:
    """
    Give the files of *id* in *source* the same names in *target* too, the archive last.

    The archive may be in *target* already. Another file there that lies beside it gives way if *anew*, and stays else.
    *undo* gets the calls that take the new names away.
    """
    for suffix in (*_BESIDE, ""):
        name = id.name + suffix
        if is_regular(name, source) is None or are_one_file(name, source, target):
            continue
        if suffix and anew:
            unlink(name, target)
        elif is_regular(name, target) is not None:
            continue
        os.link(name, name, src_dir_fd=source, dst_dir_fd=target, follow_symlinks=False)
        undo.callback(unlink, name, target)


def unlink_files(id: ArchiveId, directory: int) -> None:
    """Remove the archive *id*, and what lies beside it."""
    unlink(id.name, directory)
    unlink_beside(id, directory)


def unlink_beside(id: ArchiveId, directory: int) -> None:
    """Remove what lies beside *id*, the side-car last."""
    for suffix in _BESIDE:
        unlink(id.name + suffix, directory)
