"""
The folder of one restore: the archives fetched for it, and a note of its progress.

It is private (see `own_folder`), so what is extracted is what was checked: an archive is opened once, through the
folder's descriptor, and is inspected and extracted through its own.
"""

from __future__ import annotations

import errno
import fcntl
import io
import os
import resource
import stat
from collections.abc import Iterator
from contextlib import AbstractContextManager, suppress
from pathlib import Path
from types import TracebackType

from attrs import frozen

from ...domain.archives.archive import BackupArchive
from ...domain.client.ports.landing import Part
from ...domain.client.ports.local_archives import LocalArchive, LocalFile
from ...domain.errors.client import FolderUnusable, LocalConflict, PrivateFolder, PullInProgress, TooManyArchivesOpen
from .archive_folder import archive_of, opened_file
from .landing_folder import PART_SUFFIX, told_as_errors
from .own_folder import is_at, open_own_folder
from .plain_file import blocks_of, check_room, open_plain, write_whole

_PREFIX = "tarkeep-"
_NOTE = _PREFIX + "restore"
_TRAIL = _PREFIX + "trail"
_BLOCK_BYTES = 1 << 20


class WorkFolder:
    """`Landing`, and the state between two runs of a restore, in the folder *path* until it is closed."""

    def __init__(self, path: Path) -> None:
        self.path = path
        self._folder = open_own_folder(path, purpose=PrivateFolder.WORK)

    # -- archives on their way -----------------------------------------------------------------------------------

    def find(self, archive: BackupArchive) -> LocalArchive | None:
        name = _name(archive)
        with told_as_errors(self.path / name):
            try:
                found = os.stat(name, dir_fd=self._folder, follow_symlinks=False)
            except FileNotFoundError:
                return None
        self._check_plain(name, found)
        return self._described(archive, found)

    def begin(self, archive: BackupArchive) -> Part:
        name = _name(archive) + PART_SUFFIX
        with told_as_errors(self.path / name):
            file = self._plain(name, os.O_RDWR | os.O_CREAT | os.O_APPEND)
        part = _WorkPart(self, archive, file)
        try:
            fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
            part.check_space()
        except BlockingIOError as error:
            file.close()
            raise PullInProgress(str(self.path / name)) from error
        except BaseException:
            part.close()
            raise
        return part

    def open(self, archive: LocalArchive) -> LocalFile:
        """
        Open *archive*, from this folder, for reading.

        Raises:
            LocalFileChanged: it is gone, or is not the version that was listed.
            FolderUnusable: it cannot be read.
        """
        return opened_file(archive, lambda: self._opened(Path(archive.path).name))

    def hold(self, archive: BackupArchive) -> FetchedArchive:
        """
        *archive*, which was fetched, open until `close`.

        Raises:
            FolderUnusable: it is gone, or cannot be opened.
            TooManyArchivesOpen: this process may not open another file.
        """
        name = _name(archive)
        try:
            return FetchedArchive(archive, self._opened(name))
        except OSError as error:
            if error.errno != errno.EMFILE or not _may_open_more():
                if error.errno == errno.EMFILE:
                    reason = "a restore needs more archives at a time than this process may open files"
                    raise TooManyArchivesOpen(str(self.path / name), reason) from error
                raise FolderUnusable(str(self.path / name), error.strerror or str(error)) from error
        return self.hold(archive)

    def _check_plain(self, name: str, found: os.stat_result) -> None:
        if not stat.S_ISREG(found.st_mode):
            raise FolderUnusable(str(self.path / name), "it is not a regular file; remove it")

    def _opened(self, name: str) -> io.FileIO:
        return self._plain(name, os.O_RDONLY)

    def _plain(self, name: str, flags: int) -> io.FileIO:
        return open_plain(self.path / name, flags | os.O_NOFOLLOW, folder=self._folder)

    def _described(self, archive: BackupArchive, found: os.stat_result) -> LocalArchive:
        return archive_of(archive.id.type, archive.id.name, self.path / _name(archive), found)

    # -- between two runs ----------------------------------------------------------------------------------------

    @property
    def held_bytes(self) -> int:
        """The bytes that the content of this folder takes."""
        return sum(os.stat(name, dir_fd=self._folder).st_size for name in self._names())

    def note(self) -> bytes | None:
        """The last note; None before the first."""
        with told_as_errors(self.path / _NOTE), suppress(FileNotFoundError), self._opened(_NOTE) as file:
            return file.readall()
        return None

    def put_note(self, note: bytes | None) -> None:
        """Store a note that survives a power cut; None removes it, and the trail with it."""
        with told_as_errors(self.path / _NOTE):
            if note is None:
                for name in (_NOTE, _TRAIL):
                    with suppress(FileNotFoundError):
                        os.unlink(name, dir_fd=self._folder)
            else:
                with self._plain(_NOTE + PART_SUFFIX, os.O_WRONLY | os.O_CREAT | os.O_TRUNC) as file:
                    file.write(note)
                    os.fsync(file.fileno())
                os.replace(_NOTE + PART_SUFFIX, _NOTE, src_dir_fd=self._folder, dst_dir_fd=self._folder)
            os.fsync(self._folder)

    def begin_trail(self) -> _TrailFile:
        """A new trail, which replaces the kept one once it is itself kept."""
        return _TrailFile(self)

    def trail(self) -> Iterator[bytes]:
        """The kept trail, in blocks; empty if no trail is kept."""
        with told_as_errors(self.path / _TRAIL), suppress(FileNotFoundError), self._opened(_TRAIL) as file:
            while block := file.read(_BLOCK_BYTES):
                yield block

    def remove(self) -> None:
        """Remove what this process put here, and the folder if it is then empty. What cannot be removed stays."""
        for name in self._names():
            with suppress(OSError):
                os.unlink(name, dir_fd=self._folder)
        self._remove_empty()

    def _remove_empty(self) -> None:
        if is_at(self._folder, self.path):
            with suppress(OSError):
                self.path.rmdir()

    def _names(self) -> list[str]:
        with os.scandir(self._folder) as listed:
            return [entry.name for entry in listed if entry.name.startswith(_PREFIX)]

    def close(self) -> None:
        """Release the folder, and remove it if nothing was put into it."""
        if self._folder >= 0:
            self._remove_empty()
            os.close(self._folder)
            self._folder = -1

    def __enter__(self) -> WorkFolder:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()


class NoDigests:
    """`DigestCache` that remembers nothing: every digest is computed again."""

    def get(self, archive: LocalArchive) -> str | None:  # noqa: ARG002
        return None

    def put(self, archive: LocalArchive, sha256: str) -> None:
        pass


def _name(archive: BackupArchive) -> str:
    return f"{_PREFIX}{archive.id.type.value}-{archive.id.name}"


def _may_open_more() -> bool:
    """Raise the limit of open files as far as it goes; returns whether it was raised."""
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    if soft == hard:
        return False
    resource.setrlimit(resource.RLIMIT_NOFILE, (hard, hard))
    return True


@frozen(eq=False)
class FetchedArchive:
    """A fetched archive, open: reading it again gives the same bytes."""

    archive: BackupArchive
    _file: io.FileIO

    @property
    def label(self) -> str:
        """``TYPE/NAME``, for messages."""
        return self.archive.id.label

    @property
    def sha256(self) -> str:
        return self.archive.digests.sha256

    @property
    def size_bytes(self) -> int:
        return os.fstat(self._file.fileno()).st_size

    def blocks(self) -> Iterator[bytes]:
        """Its bytes from the first on, in blocks of at most 1 MiB."""
        start = 0
        while True:
            try:
                block = os.pread(self._file.fileno(), _BLOCK_BYTES, start)
            except OSError as error:
                raise FolderUnusable(self.label, error.strerror or str(error)) from error
            if not block:
                return
            start += len(block)
            yield block

    def close(self) -> None:
        self._file.close()


class _TrailFile:
    """`TrailFile` in a work folder."""

    def __init__(self, work: WorkFolder) -> None:
        self._work = work
        with self._told():
            self._file = io.BufferedWriter(work._plain(_TRAIL + PART_SUFFIX, os.O_WRONLY | os.O_CREAT | os.O_TRUNC))
        self._is_kept = False

    def add(self, records: bytes) -> None:
        with self._told():
            self._file.write(records)

    def flush(self) -> None:
        with self._told():
            self._file.flush()

    def keep(self) -> None:
        folder = self._work._folder
        with self._told():
            self._file.flush()
            os.fsync(self._file.fileno())
            if not self._is_kept:
                os.replace(_TRAIL + PART_SUFFIX, _TRAIL, src_dir_fd=folder, dst_dir_fd=folder)
                self._is_kept = True
            os.fsync(folder)

    def _told(self) -> AbstractContextManager[None]:
        return told_as_errors(self._work.path / (_TRAIL + PART_SUFFIX))

    def close(self) -> None:
        with suppress(OSError):  # nothing was extracted from what is lost then: it is flushed before
            self._file.close()
        if not self._is_kept:
            with suppress(OSError):
                os.unlink(_TRAIL + PART_SUFFIX, dir_fd=self._work._folder)


class _WorkPart:
    def __init__(self, work: WorkFolder, archive: BackupArchive, file: io.FileIO) -> None:
        self._work = work
        self._archive = archive
        self._file = file
        self._name = _name(archive)
        self._is_published = False

    @property
    def size_bytes(self) -> int:
        return os.fstat(self._file.fileno()).st_size

    def check_space(self) -> None:
        """Raises LocalDiskFull if the rest cannot fit."""
        check_room(self._file, self._archive.size_bytes - self.size_bytes, self._work.path)

    def read(self) -> Iterator[bytes]:
        return blocks_of(self._file)

    def write(self, block: bytes) -> None:
        with self._told():
            write_whole(self._file, block)

    def restart(self) -> None:
        with self._told():
            self._file.truncate(0)

    def publish(self, *, replace: bool) -> LocalArchive:
        folder, part = self._work._folder, self._name + PART_SUFFIX
        with self._told():
            os.fsync(self._file.fileno())
            if not replace and self._work.find(self._archive) is not None:
                # no other process can put a file there meanwhile
                raise LocalConflict(str(self._work.path / self._name))
            os.replace(part, self._name, src_dir_fd=folder, dst_dir_fd=folder)
            os.fsync(folder)
            self._is_published = True
            return self._work._described(self._archive, os.fstat(self._file.fileno()))

    def _told(self) -> AbstractContextManager[None]:
        return told_as_errors(self._work.path / (self._name + PART_SUFFIX))

    def close(self) -> None:
        """Release the part; an empty one is removed."""
        if self._file.closed:
            return
        if self.size_bytes == 0 and not self._is_published:
            with suppress(OSError):
                os.unlink(self._name + PART_SUFFIX, dir_fd=self._work._folder)
        self._file.close()

    def __enter__(self) -> _WorkPart:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()
