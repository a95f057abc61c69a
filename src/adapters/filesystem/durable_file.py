"""
Small files of the data directory that several processes share: read whole, replaced whole, changed one at a time.

The rule: such a file is never written in place. A new one takes its place, durably, so that a reader sees all of one
state or all of another, after a power cut too. Whoever runs a command as root leaves files to the owner of the folder.
"""

from __future__ import annotations

import fcntl
import os
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

_PART = ".part"


def replace_file(path: Path, content: bytes) -> None:
    """Let *path* hold *content*, readable by its owner alone. For one process at a time; raises OSError."""
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
    Hold the file *lock*, which is made, alone among processes and threads, *waiting* for whoever holds it.

    Raises:
        BlockingIOError: somebody holds it, and there is no waiting.
    """
    descriptor = os.open(lock, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC | os.O_NOFOLLOW, 0o600)
    try:
        give_to_owner(descriptor, lock.parent)
        fcntl.flock(descriptor, fcntl.LOCK_EX if waiting else fcntl.LOCK_EX | fcntl.LOCK_NB)
        yield
    finally:
        os.close(descriptor)


def give_to_owner(descriptor: int, folder: Path) -> None:
    """Let the open file belong to whom *folder* belongs to: a command run by root makes what the server can read."""
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
