"""Files and directories opened by their names within an open directory, without following links."""

from __future__ import annotations

import errno
import io
import os
import stat
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager, suppress
from functools import partial
from pathlib import Path

from ...domain.errors.uploads import StagedBytesMissing
from ...domain.identity.archive_id import BackupType
from ...domain.identity.invalid import InvalidName
from ...domain.identity.naming import check_profile

TYPE_WORDS = sorted(type.value for type in BackupType)


@contextmanager
def opened_directory(name: str | Path, parent: int | None = None) -> Iterator[int]:
    descriptor = os.open(name, os.O_RDONLY | os.O_DIRECTORY | os.O_NOFOLLOW | os.O_CLOEXEC, dir_fd=parent)
    try:
        yield descriptor
    finally:
        os.close(descriptor)


_MANY = 50  # profiles; below that threads are not worth it
_AT_ONCE = 16


def fsync_directories(archives: Path) -> None:
    """
    Make durable whatever is seen in the folders of *archives*.

    A process that was killed may have linked an archive without reaching the fsync. Recovery takes what it sees for
    stored, so everything it sees is made durable first. If nothing is pending this costs 0.1 ms a directory. On a busy
    disk each waits some milliseconds for others; so those of many profiles wait together.
    """
    with opened_directory(archives) as outer:
        os.fsync(outer)
        profiles = list(filter(is_profile, names_in(outer)))
        if len(profiles) < _MANY:
            for name in profiles:
                _fsync_profile(outer, name)
            return
        with ThreadPoolExecutor(_AT_ONCE) as threads:
            for _ in threads.map(partial(_fsync_profile, outer), profiles):
                pass


def _fsync_profile(outer: int, name: str) -> None:
    with suppress(FileNotFoundError, NotADirectoryError), opened_directory(name, outer) as profile:
        os.fsync(profile)
        for word in TYPE_WORDS:
            with suppress(FileNotFoundError, NotADirectoryError), opened_directory(word, profile) as directory:
                os.fsync(directory)


def made_directory(name: str, parent: int) -> bool:
    try:
        os.mkdir(name, 0o700, dir_fd=parent)
    except FileExistsError:
        return False
    return True


def names_in(directory: int | Path) -> list[str]:
    with os.scandir(directory) as entries:
        return [entry.name for entry in entries]


def unlink(name: str, directory: int | None = None) -> None:
    with suppress(FileNotFoundError):
        os.unlink(name, dir_fd=directory)


def create(path: str, mode: int) -> io.FileIO:
    # FileIO adds O_CREAT | O_EXCL | O_CLOEXEC for "x", and warns about a descriptor that is never closed.
    return io.FileIO(path, "xb+", opener=partial(os.open, mode=mode))


def create_anew(path: str, mode: int) -> io.FileIO:
    try:
        return create(path, mode)
    except FileExistsError:  # from an earlier seal
        unlink(path)
        return create(path, mode)


def create_or_open(path: str, mode: int) -> io.FileIO:
    try:
        return create(path, mode)
    except FileExistsError:
        if os.lstat(path).st_nlink > 1:
            # Published by a process that died before removing this name; the file is never written to again.
            unlink(path)
            return create(path, mode)
        Path(path).chmod(mode)  # a failed seal removed the write permission
        return io.FileIO(path, "rb+", opener=lambda name, flags: os.open(name, flags | os.O_NOFOLLOW))


def cut_to(file: io.FileIO, size_bytes: int, upload: str) -> None:
    if os.fstat(file.fileno()).st_size < size_bytes:
        raise StagedBytesMissing(upload)
    file.truncate(size_bytes)
    file.seek(size_bytes)


_NO_FILE = frozenset({errno.ENOENT, errno.ELOOP, errno.ENXIO})
"""What opening says where nothing has the name, or a symbolic link, or a socket."""


def open_regular(name: str, directory: int) -> io.FileIO:
    # O_NONBLOCK: opening a pipe placed here would block for ever; regular files ignore the flag.
    extra = os.O_NOFOLLOW | os.O_NONBLOCK
    file = io.FileIO(name, "rb", opener=lambda name, flags: os.open(name, flags | extra, dir_fd=directory))
    if not stat.S_ISREG(os.fstat(file.fileno()).st_mode):
        file.close()
        raise FileNotFoundError(errno.ENOENT, "not a regular file")
    return file


def is_regular(name: str, directory: int) -> os.stat_result | None:
    try:
        found = os.stat(name, dir_fd=directory, follow_symlinks=False)
    except FileNotFoundError:
        return None
    return found if stat.S_ISREG(found.st_mode) else None


def read_whole(name: str, directory: int) -> bytes | None:
    """The content of a small file; None if no regular file has that name."""
    try:
        descriptor = os.open(name, os.O_RDONLY | os.O_CLOEXEC | os.O_NOFOLLOW | os.O_NONBLOCK, dir_fd=directory)
    except OSError as error:
        if error.errno in _NO_FILE:
            return None
        raise
    try:
        found = os.fstat(descriptor)
        if not stat.S_ISREG(found.st_mode):
            return None
        # What it should have is read by one call; this is done for each archive of a store, often more than once.
        content = os.read(descriptor, found.st_size + 1)
        if len(content) == found.st_size:
            return content
        with io.FileIO(descriptor, closefd=False) as file:
            return content + file.readall()
    finally:
        os.close(descriptor)


def is_profile(name: str) -> bool:
    try:
        check_profile(name)
    except InvalidName:
        return False
    return True
