"""
Private folders: created for their owner alone, or checked to be so, and from then on reached by their descriptor.

Whoever may write into a folder, or into its parent, can swap its content between two looks. So only a folder of the
user's own with mode 0700 is accepted, and no link to one; its content is reached through the descriptor that was
checked, never by its path again.
"""

from __future__ import annotations

import fcntl
import os
import stat
from pathlib import Path

from ...domain.errors.client import FolderNotPrivate, FolderUnusable, PrivateFolder


def open_own_folder(path: Path, *, purpose: PrivateFolder) -> int:
    """
    The descriptor of the folder *path*, created if missing, locked by this process.

    Raises:
        FolderUnusable: it cannot be made, or another process uses it.
        FolderNotPrivate: it is not private to the user.
    """
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        try:
            path.mkdir(mode=0o700)
        except FileExistsError:
            if path.is_symlink():
                raise FolderNotPrivate(str(path), "it is a link", purpose) from None
        folder = os.open(path, os.O_RDONLY | os.O_DIRECTORY | os.O_NOFOLLOW | os.O_CLOEXEC)
    except OSError as error:
        raise FolderUnusable(str(path), error.strerror or str(error)) from error
    try:
        _check(path, os.fstat(folder), purpose)
        fcntl.flock(folder, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        os.close(folder)
        raise FolderUnusable(str(path), "another process is using it") from None
    except BaseException:
        os.close(folder)
        raise
    if not is_at(folder, path):  # removed meanwhile by the process that used it
        os.close(folder)
        raise FolderUnusable(str(path), "another process is using it")
    return folder


def check_own_folder(path: Path, *, purpose: PrivateFolder) -> None:
    """
    Check that the folder *path* is private to the user, and that no other user can replace it.

    Raises:
        FolderUnusable, FolderNotPrivate: as `open_own_folder`; or another user may replace it.
    """
    try:
        found, above = path.lstat(), path.parent.stat()
    except OSError as error:
        raise FolderUnusable(str(path), error.strerror or str(error)) from error
    if stat.S_ISLNK(found.st_mode):
        raise FolderNotPrivate(str(path), "it is a link", purpose)
    _check(path, found, purpose)
    is_free_for_all = above.st_mode & 0o022 and not above.st_mode & stat.S_ISVTX
    if above.st_uid not in (0, os.geteuid()) or is_free_for_all:
        raise FolderNotPrivate(str(path), "others may put another one in its place", purpose)


def is_at(folder: int, path: Path) -> bool:
    """Whether *folder* is the descriptor of the folder at *path*."""
    try:
        return os.path.samestat(os.fstat(folder), path.lstat())
    except OSError:
        return False


def _check(path: Path, found: os.stat_result, purpose: PrivateFolder) -> None:
    if found.st_uid != os.geteuid():
        reason = f"it belongs to another user (uid {found.st_uid}), who could change what lies in it"
    elif found.st_mode & 0o077:
        reason = f"others may enter it (mode {stat.S_IMODE(found.st_mode):o}; chmod 700 makes it yours alone)"
    else:
        return
    raise FolderNotPrivate(str(path), reason, purpose)
