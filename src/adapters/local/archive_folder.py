"""The archives of this machine, as its backup job stores them: ``BACKUP_DIR/{FULL,INC,DIFF}/*.tar.gz``."""

from __future__ import annotations

import io
import os
import stat
from collections.abc import Callable, Iterator
from contextlib import suppress
from pathlib import Path
from types import TracebackType

from attrs import frozen

from ...domain.client.ports.local_archives import LocalArchive, LocalContents, LocalFile
from ...domain.errors.client import FolderUnusable, LocalFileChanged, NoBackupFolder
from ...domain.identity.archive_id import BackupType

_BLOCK_BYTES = 1 << 20
_SUFFIX = ".tar.gz"
_LEADS_NOWHERE = "it is a link to nothing; is what it leads to mounted?"


@frozen
class LocalFolder:
    """`LocalArchives` below *path*."""

    path: Path

    def look(self) -> LocalContents:
        if not _names_in(self.path) and not self.path.is_dir():
            raise NoBackupFolder(str(self.path), "there is no such folder")
        archives: list[LocalArchive] = []
        unusable: list[FolderUnusable] = []
        for type in BackupType:
            folder = self.path / type.value
            try:
                names = _names_in(folder)
            except FolderUnusable as error:
                unusable.append(error)
                continue
            for name in sorted(name for name in names if name.endswith(_SUFFIX)):
                try:
                    archive = _looked_at(folder / name, type)
                except FolderUnusable as error:
                    unusable.append(error)
                else:
                    archives += archive
        return LocalContents(tuple(archives), tuple(unusable))

    def open(self, archive: LocalArchive) -> LocalFile:
        return opened_file(archive, lambda: _opened(archive.path))


def opened_file(archive: LocalArchive, open: Callable[[], io.FileIO]) -> LocalFile:
    """
    The file of *archive*, opened by *open*.

    Raises:
        LocalFileChanged: it is gone, or is not the version that was listed.
        FolderUnusable: it cannot be read.
    """
    try:
        file = open()
    except FileNotFoundError as error:
        raise LocalFileChanged(archive.path) from error
    except OSError as error:
        raise FolderUnusable(archive.path, error.strerror or str(error)) from error
    opened = _OpenFile(archive, file)
    try:
        opened.check()
    except BaseException:
        file.close()
        raise
    return opened


def _opened(path: str) -> io.FileIO:
    # if it is a pipe by now, opening must not block
    return io.FileIO(os.open(path, os.O_RDONLY | os.O_NONBLOCK | os.O_CLOEXEC | os.O_NOCTTY))


def _names_in(folder: Path) -> list[str]:
    """
    The names in *folder*; empty if there is no such folder.

    Raises:
        FolderUnusable: *folder* exists and cannot be read as a folder.
    """
    try:
        return [entry.name for entry in folder.iterdir()]
    except FileNotFoundError as error:
        if folder.is_symlink():
            raise FolderUnusable(str(folder), _LEADS_NOWHERE) from error
        return []
    except OSError as error:
        raise FolderUnusable(str(folder), error.strerror or str(error)) from error


def _looked_at(file: Path, type: BackupType) -> list[LocalArchive]:
    """
    The archive in *file*; empty if it was removed meanwhile.

    Raises:
        FolderUnusable: it cannot be read, or is not a file.
    """
    try:
        return [described(file, type)]
    except FileNotFoundError as error:
        if file.is_symlink():
            raise FolderUnusable(str(file), _LEADS_NOWHERE) from error
        return []
    except OSError as error:
        raise FolderUnusable(str(file), error.strerror or str(error)) from error


def described(file: Path, type: BackupType) -> LocalArchive:
    """
    The archive in *file*.

    Raises:
        OSError: its status cannot be read.
        FolderUnusable: it is a folder, a pipe or a device.
    """
    found = file.stat()
    if not stat.S_ISREG(found.st_mode):
        what = "it is a folder, not an archive" if stat.S_ISDIR(found.st_mode) else "it is not a regular file"
        raise FolderUnusable(str(file), what)
    return archive_of(type, file.name, file.absolute(), found)


def archive_of(type: BackupType, name: str, path: Path, found: os.stat_result) -> LocalArchive:
    """The archive in the file *path*, whose status is *found*."""
    return LocalArchive(type, name, found.st_size, str(path), found.st_mtime_ns, found.st_ino, found.st_ctime_ns)


@frozen(eq=False)
class _OpenFile:
    _archive: LocalArchive
    _file: io.FileIO

    def check(self) -> None:
        """Raises LocalFileChanged if its content has changed, or another file has its name."""
        listed = self._archive
        found = os.fstat(self._file.fileno())
        if (found.st_size, found.st_mtime_ns, found.st_ino) != (listed.size_bytes, listed.modified_ns, listed.inode):
            raise LocalFileChanged(listed.path)
        with suppress(OSError):  # a removed file can still be read to its end
            if not os.path.samestat(found, os.stat(listed.path)):  # noqa: PTH116  # for each block
                raise LocalFileChanged(listed.path)

    def read(self, start: int = 0) -> Iterator[bytes]:
        while start < self._archive.size_bytes:
            block = self._block(start)
            self.check()  # before the bytes are sent: a changed file must not be stored
            if not block:
                raise LocalFileChanged(self._archive.path)
            start += len(block)
            yield block

    def _block(self, start: int) -> bytes:
        try:
            return os.pread(self._file.fileno(), _BLOCK_BYTES, start)
        except OSError as error:
            raise FolderUnusable(self._archive.path, error.strerror or str(error)) from error

    def __enter__(self) -> _OpenFile:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._file.close()
