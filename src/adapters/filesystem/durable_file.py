"""
Small files of the data directory that several processes share: read whole, replaced whole, changed one at a time.

The rule: such a file is never written in place. A new file replaces it, durably, so that a reader sees one whole state
or the other, even after a power cut. A command run as root leaves its files to the owner of the folder.
"""

from __future__ import annotations

import fcntl
import os
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

_PART = ".part"


def replace_file(path: Path, content: bytes) -> None:
    """Make *content* the content of *path*, readable by its owner only. For one process at a time; raises OSError."""
    part = path.with_name(path.name + _PART)
    with suppress(FileNotFoundError):
        part.unlink()
    descriptor = os.open(part, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC | os.O_NOFOLLOW, 0o600)
    with os.fdopen(descriptor, "wb") as file:
        give_to_owner(descriptor, path.parent)
        file.write(content)
        file.flush()
        os.fsync(descriptor)
    part.rename(path)
    fsync_directory(path.parent)


@contextmanager
def held(lock: Path, *, waiting: bool = True) -> Iterator[None]:
    """
    Hold the lock file *lock*, creating it if needed, exclusively among processes and threads; *waiting* for its holder.

    Raises:
        BlockingIOError: another holder has it, and *waiting* is false.
    """
    descriptor = os.open(lock, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC | os.O_NOFOLLOW, 0o600)
    try:
        give_to_owner(descriptor, lock.parent)
        fcntl.flock(descriptor, fcntl.LOCK_EX if waiting else fcntl.LOCK_EX | fcntl.LOCK_NB)
        yield
    finally:
        os.close(descriptor)


def set_aside(path: Path) -> Path:
    """Give *path*, whose content is kept elsewhere now, a new name beside it, durably; returns that."""
    stem, dot, suffix = path.name.partition(".")
    names = (f"{stem}.moved{number}{dot}{suffix}" for number in ("", *map(str, range(2, 1000))))
    aside = next(one for name in names if not (one := path.with_name(name)).exists())
    path.rename(aside)
    fsync_directory(path.parent)
    return aside


def give_to_owner(descriptor: int, folder: Path) -> None:
    """Give the open file to the owner of *folder*: a command run as root makes files that the server can read."""
    owner = folder.stat()
    if os.geteuid() == 0 and owner.st_uid != 0:
        os.fchown(descriptor, owner.st_uid, owner.st_gid)


def fsync_directory(path: Path) -> None:
    """Make the names in *path* survive a power cut."""
    descriptor = os.open(path, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)
