"""The archives of this machine, as its backup job leaves them: ``BACKUP_DIR/{FULL,INC,DIFF}/*.tar.gz``."""

from __future__ import annotations

import io
import os
import stat
from collections.abc import Iterator
from pathlib import Path
from types import TracebackType

from attrs import frozen

from ..domain.archives import BackupType
from ..domain.client.ports import LocalArchive, LocalContents
from ..domain.errors import FolderUnusable, LocalFileChanged

_BLOCK_BYTES = 1 << 20
_SUFFIX = ".tar.gz"
_LEADS_NOWHERE = "it is a link to nothing; is what it leads to mounted?"


@frozen
class LocalFolder:
    """`LocalArchives` below *path*."""

    path: Path

    def look(self) -> LocalContents:
        if not _names_in(self.path) and not self.path.is_dir():
            raise FolderUnusable(str(self.path), "there is no such folder; set --backup-dir or BACKUP_DIR")
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

    def open(self, archive: LocalArchive) -> _OpenFile:
        try:
            file = io.FileIO(archive.path)
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


def _names_in(folder: Path) -> list[str]:
    """
    What is called how in *folder*, nothing where there is none.

    Raises:
        FolderUnusable: something is there, and cannot be read as a folder.
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
    The archive in *file*, none where it was removed meanwhile.

    Raises:
        FolderUnusable: it cannot be looked at, or is no file.
    """
    try:
        mode = file.stat().st_mode
        if stat.S_ISREG(mode):
            return [described(file, type)]
    except FileNotFoundError as error:
        if file.is_symlink():
            raise FolderUnusable(str(file), _LEADS_NOWHERE) from error
        return []
    except OSError as error:
        raise FolderUnusable(str(file), error.strerror or str(error)) from error
    raise FolderUnusable(str(file), "it is a folder, not an archive" if stat.S_ISDIR(mode) else "it is no plain file")


def described(file: Path, type: BackupType) -> LocalArchive:
    """
    The archive that lies in *file*.

    Raises:
        OSError: it cannot be looked at.
    """
    found = file.stat()
    return LocalArchive(type, file.name, found.st_size, str(file.absolute()), found.st_mtime_ns, found.st_ino)


@frozen(eq=False)
class _OpenFile:
    _archive: LocalArchive
    _file: io.FileIO

    def check(self) -> None:
        found = os.fstat(self._file.fileno())
        listed = self._archive
        if (found.st_size, found.st_mtime_ns, found.st_ino) != (listed.size_bytes, listed.modified_ns, listed.inode):
            raise LocalFileChanged(listed.path)

    def read(self, start: int = 0) -> Iterator[bytes]:
        while block := self._block(start):
            start += len(block)
            if start >= self._archive.size_bytes:
                self.check()  # before the last bytes go out: what changed meanwhile must not be stored
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
