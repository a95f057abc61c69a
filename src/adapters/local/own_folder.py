"""
Folders that nobody shares: made for their owner alone, or found to be so, and from then on held by their descriptor.

Whoever may write into a folder, or into the one above it, can swap what lies there between two looks. So nothing but a
folder of one's own with mode 0700 will do, no link to one, and what lies in it is reached through the descriptor that
was looked at, never by its path again.
"""

from __future__ import annotations

import fcntl
import os
import stat
from pathlib import Path

from ...domain.errors.client import FolderUnusable


def open_own_folder(path: Path, *, otherwise: str) -> int:
    """
    The descriptor of the folder *path*, which is made where it is not there, held by this process alone.

    Raises:
        FolderUnusable: it cannot be made, or is not one's own alone; *otherwise* says what else can be done.
    """
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        try:
            path.mkdir(mode=0o700)
        except FileExistsError:
            if path.is_symlink():
                raise FolderUnusable(str(path), f"it is a link; {otherwise}") from None
        folder = os.open(path, os.O_RDONLY | os.O_DIRECTORY | os.O_NOFOLLOW | os.O_CLOEXEC)
    except OSError as error:
        raise FolderUnusable(str(path), error.strerror or str(error)) from error
    try:
        _check(path, os.fstat(folder), otherwise)
        fcntl.flock(folder, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        os.close(folder)
        raise FolderUnusable(str(path), "another process is using it") from None
    except BaseException:
        os.close(folder)
        raise
    if not is_at(folder, path):  # removed meanwhile, by whoever was done with it
        os.close(folder)
        raise FolderUnusable(str(path), "another process is using it")
    return folder


def check_own_folder(path: Path, *, otherwise: str) -> None:
    """
    See that the folder *path* is one's own alone, and that nobody else can put another one in its place.

    Raises:
        FolderUnusable: as `open_own_folder`; or somebody else may do so.
    """
    try:
        found, above = path.lstat(), path.parent.stat()
    except OSError as error:
        raise FolderUnusable(str(path), error.strerror or str(error)) from error
    if stat.S_ISLNK(found.st_mode):
        raise FolderUnusable(str(path), f"it is a link; {otherwise}")
    _check(path, found, otherwise)
    is_free_for_all = above.st_mode & 0o022 and not above.st_mode & stat.S_ISVTX
    if above.st_uid not in (0, os.geteuid()) or is_free_for_all:
        raise FolderUnusable(str(path), f"others may put another one in its place; {otherwise}")


def is_at(folder: int, path: Path) -> bool:
    """Whether the folder with that descriptor is what lies at *path*."""
    try:
        return os.path.samestat(os.fstat(folder), path.lstat())
    except OSError:
        return False


def _check(path: Path, found: os.stat_result, otherwise: str) -> None:
    if found.st_uid != os.geteuid():
        reason = f"it belongs to another user (uid {found.st_uid}), who could change what lies in it"
    elif found.st_mode & 0o077:
        reason = f"others may enter it (mode {stat.S_IMODE(found.st_mode):o}; chmod 700 makes it yours alone)"
    else:
        return
    raise FolderUnusable(str(path), f"{reason}; {otherwise}")
