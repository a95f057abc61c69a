"""
What tar left in a folder, read name by name as lines of a manifest.

The folder may be full of traps: links are not followed, nothing but regular files is opened, and every name is reached
by the descriptor of its directory. Where the caller is not root, what its owner may not read is opened to the owner
after its mode was noted.
"""

from __future__ import annotations

import errno
import hashlib
import os
import stat
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

from attrs import define

from ...domain.drills.manifest import ManifestLine
from ...domain.errors.client import FolderUnusable
from ...domain.tar.members import MemberType
from ...domain.tar.paths import join
from .local_tree import TYPES, empty, names_in, opened_below

_OWNER_READS, _OWNER_ENTERS = 0o400, 0o500
_BLOCK_BYTES = 1 << 20


@define(eq=False)
class DrilledTree:
    """The tree in *folder*."""

    folder: Path

    def lines(self) -> Iterator[ManifestLine]:
        """
        The top directory and everything below it, in the order of manifests.

        Raises:
            FolderUnusable: something cannot be read.
        """
        with self._at() as top, self._told():
            yield _line(b"", os.fstat(top), b"", None)
            folders = self._folders(top)
            first: dict[tuple[int, int], bytes] = {}
            for folder in sorted(folders):
                with _below(top, folder) as opened:
                    for name in sorted(names_in(opened)):
                        path = join(folder, name)
                        found = os.stat(name, dir_fd=opened, follow_symlinks=False)
                        if stat.S_ISDIR(found.st_mode):
                            yield _line(path, folders[path], b"", None)
                            continue
                        group = None
                        if found.st_nlink > 1:
                            group = first.setdefault((found.st_dev, found.st_ino), path)
                        yield _line(path, found, _content(opened, name, found), group)

    def _folders(self, top: int) -> dict[bytes, os.stat_result]:
        """Every directory with its status, before it was opened for its owner."""
        found, waiting = {b"": os.fstat(top)}, [b""]
        while waiting:
            folder = waiting.pop()
            with _below(top, folder) as opened:
                for name in names_in(opened):
                    status = os.stat(name, dir_fd=opened, follow_symlinks=False)
                    if not stat.S_ISDIR(status.st_mode):
                        continue
                    path = join(folder, name)
                    found[path] = status
                    waiting.append(path)
                    if status.st_mode & _OWNER_ENTERS != _OWNER_ENTERS:
                        with suppress(PermissionError):
                            os.chmod(name, stat.S_IMODE(status.st_mode) | _OWNER_ENTERS, dir_fd=opened)
        return found

    def clear(self) -> None:
        """Remove everything."""
        with self._at() as top, self._told():
            empty(top)

    @contextmanager
    def _at(self) -> Iterator[int]:
        opened = os.open(self.folder, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC | os.O_NOFOLLOW)
        try:
            yield opened
        finally:
            os.close(opened)

    @contextmanager
    def _told(self) -> Iterator[None]:
        try:
            yield
        except OSError as error:
            raise FolderUnusable(str(self.folder), error.strerror or str(error)) from error


@contextmanager
def _below(top: int, folder: bytes) -> Iterator[int]:
    opened = opened_below(top, folder)
    try:
        yield opened
    finally:
        os.close(opened)


def _line(path: bytes, status: os.stat_result, content: bytes, group: bytes | None) -> ManifestLine:
    type = TYPES.get(stat.S_IFMT(status.st_mode), MemberType.OTHER)
    mode = None if type is MemberType.SYMLINK else stat.S_IMODE(status.st_mode)
    size = status.st_size if type is MemberType.FILE else None
    has_content = type in (MemberType.FILE, MemberType.SYMLINK)
    return ManifestLine(path, type, mode, status.st_mtime_ns, size, content if has_content else None, group)


def _content(folder: int, name: bytes, status: os.stat_result) -> bytes:
    """The SHA-256 of a file in hex, or the target of a symbolic link."""
    if stat.S_ISLNK(status.st_mode):
        return os.readlink(name, dir_fd=folder)
    if not stat.S_ISREG(status.st_mode):
        return b""
    flags = os.O_RDONLY | os.O_NOFOLLOW | os.O_CLOEXEC | os.O_NONBLOCK
    try:
        opened = os.open(name, flags, dir_fd=folder)
    except OSError as error:
        if error.errno != errno.EACCES:
            raise
        os.chmod(name, stat.S_IMODE(status.st_mode) | _OWNER_READS, dir_fd=folder)
        opened = os.open(name, flags, dir_fd=folder)
    with os.fdopen(opened, "rb", buffering=0) as file:
        if status.st_size <= _BLOCK_BYTES:
            return hashlib.sha256(file.read(_BLOCK_BYTES + 1)).hexdigest().encode()
        return hashlib.file_digest(file, "sha256").hexdigest().encode()
