"""
The folder for pulled archives on this machine: ``DIR/{FULL,INC,DIFF}/NAME``, and ``NAME.part`` until it is whole.

A part is protected by a lock on the file itself, so that two processes never write one. It gets its name by a link,
which cannot replace anything, and only after its bytes are on the disk.
"""

from __future__ import annotations

import errno
import fcntl
import io
import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from types import TracebackType

from attrs import define, frozen

from ...domain.archives.archive import BackupArchive
from ...domain.client.ports.local_archives import LocalArchive
from ...domain.errors.client import FolderUnusable, LocalConflict, LocalDiskFull, PullInProgress
from ...domain.identity.archive_id import BackupType
from .archive_folder import described
from .plain_file import blocks_of, check_room, open_plain, write_whole

PART_SUFFIX = ".part"
_FULL = (errno.ENOSPC, errno.EDQUOT)
_NO_LINKS = (errno.EPERM, errno.EOPNOTSUPP, errno.ENOSYS, errno.EMLINK)


@frozen
class LandingFolder:
    """`Landing` below *path*, which is created if it is missing."""

    path: Path

    def find(self, archive: BackupArchive) -> LocalArchive | None:
        place = self._place(archive)
        with told_as_errors(place):
            try:
                return described(place, archive.id.type)
            except FileNotFoundError:
                if place.is_symlink():
                    raise FolderUnusable(str(place), "it is a link to nothing") from None
                return None

    def begin(self, archive: BackupArchive) -> _PartFile:
        place = self._place(archive)
        part = place.with_name(place.name + PART_SUFFIX)
        with told_as_errors(place.parent):
            place.parent.mkdir(parents=True, exist_ok=True)
        with told_as_errors(part):
            file = _locked(part)
        opened = _PartFile(file, part, place, archive)
        try:
            opened.check_space()
        except BaseException:
            opened.close()
            raise
        return opened

    def unfinished(self) -> list[Path]:
        """Every part, by type and name."""
        return [
            part
            for type in BackupType
            for part in sorted((self.path / type.value).glob(f"*.tar.gz{PART_SUFFIX}"))
            if part.is_file()
        ]

    def _place(self, archive: BackupArchive) -> Path:
        return self.path.absolute() / archive.id.type.value / archive.id.name


@define(eq=False)
class _PartFile:
    _file: io.FileIO
    _path: Path
    _place: Path
    _archive: BackupArchive

    @property
    def size_bytes(self) -> int:
        return os.fstat(self._file.fileno()).st_size

    def check_space(self) -> None:
        """Raises LocalDiskFull if the rest cannot fit."""
        check_room(self._file, self._archive.size_bytes - self.size_bytes, self._place.parent)

    def read(self) -> Iterator[bytes]:
        return blocks_of(self._file)

    def write(self, block: bytes) -> None:
        with told_as_errors(self._path):
            write_whole(self._file, block)

    def restart(self) -> None:
        with told_as_errors(self._path):
            self._file.truncate(0)

    def publish(self, *, replace: bool) -> LocalArchive:
        with told_as_errors(self._place):
            taken = self._archive.taken_at.timestamp()
            os.utime(self._file.fileno(), (taken, taken))  # so that the newest file here is the newest dump
            os.fsync(self._file.fileno())
            if replace:
                self._path.replace(self._place)
            else:
                self._link()
            _sync_folder(self._place.parent)
            return described(self._place, self._archive.id.type)

    def _link(self) -> None:
        try:
            os.link(self._path, self._place)
        except FileExistsError as error:
            raise LocalConflict(str(self._place)) from error
        except OSError as error:
            if error.errno not in _NO_LINKS:
                raise
            # without hard links no operation is certain not to replace a file; this checks first
            if self._place.exists():
                raise LocalConflict(str(self._place)) from error
            self._path.rename(self._place)
        else:
            self._path.unlink()

    def close(self) -> None:
        """Release the part; an empty one is removed, before another process can hold it."""
        if not self._file.closed:
            if self.size_bytes == 0 and _is_at(self._file, self._path):
                self._path.unlink(missing_ok=True)
            self._file.close()

    def __enter__(self) -> _PartFile:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()


def _locked(path: Path) -> io.FileIO:
    """
    *path* open for appending and locked by this process; only its owner may read it.

    Raises:
        PullInProgress: another process holds it.
        FolderUnusable: it is not a regular file.
    """
    while True:
        file = open_plain(path, os.O_RDWR | os.O_CREAT | os.O_APPEND | os.O_NOFOLLOW)
        try:
            fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
            if _is_at(file, path):
                return file
        except BlockingIOError as error:
            file.close()
            raise PullInProgress(str(path)) from error
        except BaseException:
            file.close()
            raise
        file.close()  # its former holder has published or removed it meanwhile


def _is_at(file: io.FileIO, path: Path) -> bool:
    try:
        return os.path.samestat(os.fstat(file.fileno()), path.stat(follow_symlinks=False))
    except FileNotFoundError:
        return False


def _sync_folder(path: Path) -> None:
    folder = os.open(path, os.O_RDONLY | os.O_DIRECTORY)
    try:
        os.fsync(folder)
    finally:
        os.close(folder)


@contextmanager
def told_as_errors(path: Path) -> Iterator[None]:
    """Turn an OSError about *path* into the error that describes it."""
    try:
        yield
    except OSError as error:
        if error.errno in _FULL:
            raise LocalDiskFull(str(path.parent)) from error
        raise FolderUnusable(str(path), error.strerror or str(error)) from error
