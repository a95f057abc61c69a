"""The archives of this machine, as its backup job leaves them: ``BACKUP_DIR/{FULL,INC,DIFF}/*.tar.gz``."""

from __future__ import annotations

import io
import os
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path
from types import TracebackType

from attrs import frozen

from ..domain.archives import BackupType
from ..domain.client.ports import LocalArchive
from ..domain.errors import FolderUnusable, LocalFileChanged

_BLOCK_BYTES = 1 << 20


@frozen
class LocalFolder:
    """`LocalArchives` below *path*."""

    path: Path

    def list(self) -> list[LocalArchive]:
        if not self.path.is_dir():
            raise FolderUnusable(str(self.path), "there is no such folder; set --backup-dir or BACKUP_DIR")
        found = []
        for type in BackupType:
            for file in sorted((self.path / type.value).glob("*.tar.gz")):
                with suppress(FileNotFoundError):  # removed meanwhile
                    if file.is_file():
                        found.append(described(file, type))
        return found

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
