"""
Archives as plain files in a data directory, readable with nothing but ``ls`` and ``tar``. It stays one file, though
long: staging, sealing and publishing keep one promise together, and each relies on what the others made durable.

::

    DATA/archives/<profile>/<TYPE>/<name>.tar.gz         mode 0400, never written to again
    DATA/archives/<profile>/<TYPE>/<name>.tar.gz.json    its side-car
    DATA/archives/<profile>/<TYPE>/<name>.tar.gz.snar    tar's snapshot file as this dump left it, if it was sent
    DATA/archives/<profile>/<TYPE>/<name>.tar.gz.marks   holds and lock, if there was any
    DATA/trash/                                          see `archives.trash_folder`
    DATA/quarantine/                                     see `archives.quarantine`
    DATA/staging/<id>.part, <id>.json, <id>.marks        the same before they are published; the .part of a resumable
                                                         upload stays between its requests

An archive exists from the moment its ``.tar.gz`` has its name; the side-car is linked before and unlinked after, so
a reader that sees the archive finds the side-car. The same holds for marks that it is published with: nobody sees it
without them. This order makes an acknowledged archive survive a power cut: bytes, side-car and marks are fsynced in
staging, then linked (link, not rename: rename would silently replace a stored archive), then the directory is fsynced,
and only then does `publish` return. A failed fsync is final, because the kernel reports
it once and marks the lost pages clean; the store drops the archive it was for.

Every name below ``archives`` is opened relative to its directory and without following symbolic links, so that no name
leads out of the store.
"""

from __future__ import annotations

import errno
import io
import os
import stat
import threading
from collections.abc import Callable, Collection, Iterable, Iterator, Sequence
from contextlib import ExitStack, contextmanager, suppress
from datetime import datetime
from functools import partial
from pathlib import Path
from types import TracebackType

from attrs import define, field, frozen

from ...domain.archives.totals import Usage
from ...domain.errors.archives import AlreadyPublished, ArchiveCorrupt, ArchiveNotFound, SnapshotNotFound
from ...domain.errors.capacity import BackendUnavailable
from ...domain.identity.archive_id import ArchiveId, BackupType
from ...domain.identity.invalid import InvalidName
from ...domain.ports.store import ArchiveReader, Block, Rereading, StoredArchive, TrashedArchive, untold
from ...domain.ports.system import IdSource
from ..process.os_errors import translated
from ..process.shared_syncs import SharedSyncs
from .archives.archive_files import (
    MARKS_SUFFIX,
    SIDECAR_SUFFIX,
    SNAPSHOT_SUFFIX,
    is_there,
    look_at,
    read_marks,
    unlink_beside,
    unlink_files,
)
from .archives.archive_marks import replace_marks
from .archives.medium_reader import read_medium
from .archives.packed_snapshot import are_equal, packed, snapshot_reader
from .archives.quarantine import Quarantine
from .archives.reading_ahead import ReadingAhead
from .archives.staged_file import StagedFile
from .archives.trash_folder import TrashFolder
from .archives.type_folders import TypeFolders
from .data_directory import DataDirectory
from .durable_file import fsync_directory
from .open_files import (
    create,
    create_anew,
    create_or_open,
    cut_to,
    fsync_directories,
    is_regular,
    names_in,
    open_regular,
    unlink,
)

_PART_SUFFIX = ".part"
_STAGED_SUFFIXES = (_PART_SUFFIX, SIDECAR_SUFFIX, MARKS_SUFFIX)
_BLOCK_BYTES = 256 << 10  # a slow reader holds one block; a fast one is given several at once

# POSIX_FADV_DONTNEED makes the kernel start writing the dirty pages of the range and forget the clean ones: seal waits
# for megabytes instead of for the whole archive, and a backup does not push everything else out of the page cache.
# The range is the last two windows: the newest starts being written; the one before it is on the disk and is dropped.
# 512 MiB in 1 MiB blocks on ext4 on a fast disk: 0.16 s in all and 0.00 s of it in fsync, against 0.28 s and 0.16 s
# without; always starting from byte 0 takes 0.18 s. The cost is 40 ms of calls per 512 MiB.
_WRITE_BACK_BYTES = 8 << 20


@define(eq=False)
class FilesystemArchiveStore:
    """An `ArchiveStore` in a data directory, which it owns until `close`."""

    _data: DataDirectory
    _ids: IdSource
    _open_writers: set[str] = field(factory=set, init=False, repr=False)
    _archives: TypeFolders = field(init=False, repr=False)
    _trash: TrashFolder = field(init=False, repr=False)
    _quarantine: Quarantine = field(init=False, repr=False)
    _syncs: SharedSyncs = field(factory=SharedSyncs, init=False, repr=False)
    # Publishing and removing one archive exclude each other; two archives rarely do, so that several share a sync.
    _turns: tuple[threading.Lock, ...] = field(
        factory=lambda: tuple(threading.Lock() for _ in range(64)), init=False, repr=False
    )

    def __attrs_post_init__(self) -> None:
        self._archives = TypeFolders(self._data.archives)
        self._quarantine = Quarantine(TypeFolders(self._data.quarantine))
        self._trash = TrashFolder(self._archives, TypeFolders(self._data.trash), self._written)

    @classmethod
    def open(cls, path: Path, *, ids: IdSource) -> FilesystemArchiveStore:
        """
        The store in the data directory *path*, which is created if it is missing or empty.

        Raises:
            DataDirectoryInUse, FormatUnknown: as `DataDirectory.open`.
        """
        data = DataDirectory.open(path, ids=ids)
        try:
            with translated(writing=True):
                fsync_directories(data.archives)
                fsync_directories(data.trash)
                store = cls(data, ids)
                store._trash.finish_moves()
        except BaseException:
            data.close()
            raise
        return store

    @property
    def id(self) -> str:
        """The id of the data directory."""
        return self._data.id

    def begin(self) -> _Writer:
        id = self._ids.new()
        # Registered as open before the file exists, so that a sweep never sees a file of an unknown writer.
        self._open_writers.add(id)
        try:
            with translated(writing=True):
                return _Writer(self, id, create(self._staged(id, _PART_SUFFIX), 0o600))
        except BaseException:
            self._open_writers.discard(id)
            raise

    def resume(self, upload: str, size_bytes: int) -> _Writer:
        self._open_writers.add(upload)
        try:
            with translated(writing=True), ExitStack() as undo:
                file = undo.enter_context(create_or_open(self._staged(upload, _PART_SUFFIX), 0o600))
                cut_to(file, size_bytes, upload)
                # Its name must outlive a power cut before any byte is acknowledged.
                fsync_directory(self._data.staging)
                undo.pop_all()
            return _Writer(self, upload, file, size_bytes, outlives=True)
        except BaseException:
            self._open_writers.discard(upload)
            raise

    def staged_bytes(self, upload: str) -> int:
        with translated():
            try:
                found = os.lstat(self._staged(upload, _PART_SUFFIX))
            except FileNotFoundError:
                return 0
        # a published archive that kept its name here cannot be continued, see `create_or_open`
        return found.st_size if stat.S_ISREG(found.st_mode) and found.st_nlink == 1 else 0

    def discard(self, upload: str) -> None:
        with translated(writing=True):
            self._unlink_staged(upload)

    def read(self, id: ArchiveId, start: int = 0, stop: int | None = None) -> ArchiveReader:
        with translated(looking_for=id), self._archives.opened(id.profile, id.type) as directory:
            return _reader(id, id.name, directory, start, stop)

    def reread(self, id: ArchiveId) -> ArchiveReader:
        with translated(looking_for=id), self._archives.opened(id.profile, id.type) as directory:
            return read_medium(id, directory)

    def rereading(self, ids: Sequence[ArchiveId]) -> Rereading:
        return ReadingAhead(self._archives, ids)

    def stat(self, id: ArchiveId) -> StoredArchive:
        with translated(looking_for=id), self._archives.opened(id.profile, id.type) as directory:
            found = look_at(id, directory)
        if found is None:
            raise ArchiveNotFound(str(id))
        return found

    def scan(self) -> Iterator[StoredArchive]:
        for profile, type in self._archives.all():
            yield from self._scan_directory(profile, type)

    def annotate(self, id: ArchiveId, sidecar: bytes, instead_of: bytes | None = None) -> None:
        with translated(writing=True), self._written(sidecar) as staged, self._turn_of(id):
            if self.stat(id).sidecar not in (None, instead_of):
                raise AlreadyPublished(id)
            with self._archives.opened(id.profile, id.type) as directory:
                staged.move_to(id.name + SIDECAR_SUFFIX, directory)
                os.fsync(directory)

    def keep_snapshot(self, id: ArchiveId, blocks: Iterable[Block], *, replace: bool = False) -> None:
        self.stat(id)  # raises if the archive is missing; nothing else need be read
        with self.begin() as writer:
            for block in packed(blocks):
                writer.write(block)
            writer.seal(b"")  # makes the bytes durable; there is no side-car to link
            with self._turn_of(id):
                self.stat(id)
                with (
                    translated(writing=True),
                    self._archives.opened(id.profile, id.type) as directory,
                    ExitStack() as undo,
                ):
                    if is_regular(id.name + SNAPSHOT_SUFFIX, directory) is None:
                        self._link_staged(writer.id, _PART_SUFFIX, id.name + SNAPSHOT_SUFFIX, directory, undo)
                    else:
                        with _reader(id, id.name + SNAPSHOT_SUFFIX, directory) as kept:
                            is_same = are_equal(kept, writer.staged())
                        if not is_same and not replace:
                            raise AlreadyPublished(id)
                        if not is_same:
                            self._rename_staged(writer.id, _PART_SUFFIX, id.name + SNAPSHOT_SUFFIX, directory)
                    # even if it was there already: the process that linked it may have died before the fsync
                    os.fsync(directory)
                    undo.pop_all()

    def snapshot(self, id: ArchiveId) -> ArchiveReader:
        try:
            with translated(looking_for=id), self._archives.opened(id.profile, id.type) as directory:
                if is_regular(id.name, directory) is not None:
                    return snapshot_reader(id, _reader(id, id.name + SNAPSHOT_SUFFIX, directory))
        except ArchiveNotFound:
            pass
        raise SnapshotNotFound(id)

    def ids(self) -> Iterator[ArchiveId]:
        return self._archives.ids("")

    def snapshots(self) -> Iterator[ArchiveId]:
        return self._archives.ids(SNAPSHOT_SUFFIX)

    def remove(self, id: ArchiveId) -> None:
        with (
            self._turn_of(id),
            translated(writing=True),
            suppress(FileNotFoundError, NotADirectoryError),
            self._archives.opened(id.profile, id.type) as inside,
        ):
            unlink_files(id, inside)
            # Even if the file was already gone: an earlier removal may have been cut off before its fsync.
            os.fsync(inside)

    # -- marks and the trash -------------------------------------------------------------------------------------

    def marks(self, id: ArchiveId) -> bytes | None:
        with self._turn_of(id), translated(), self._place_of(id) as directory:
            return read_marks(id, directory)

    def mark(self, id: ArchiveId, marks: bytes, instead_of: bytes | None) -> None:
        with translated(writing=True), self._written(marks) as staged, self._turn_of(id), self._place_of(id) as inside:
            replace_marks(id, staged, instead_of, inside)

    def marked(self, profile: str | None = None) -> Iterator[ArchiveId]:
        yield from sorted({*self._archives.ids(MARKS_SUFFIX, profile), *self._trash.trash.ids(MARKS_SUFFIX, profile)})

    def trash(self, id: ArchiveId, note: bytes, now: datetime, tell: Callable[[], None] = untold) -> None:
        with self._turn_of(id), translated(writing=True):
            self._trash.take_in(id, note, now, tell)

    def untrash(self, id: ArchiveId) -> None:
        with self._turn_of(id), translated(writing=True):
            self._trash.give_back(id)

    def trashed(self) -> Iterator[TrashedArchive]:
        return self._trash.all()

    def note(self, id: ArchiveId) -> bytes | None:
        with translated():
            return self._trash.note(id)

    def purge(self, id: ArchiveId, note: bytes, now: datetime, tell: Callable[[], None] = untold) -> None:
        with self._turn_of(id), translated(writing=True):
            self._trash.purge(id, note, now, tell)

    def forget(self, id: ArchiveId) -> None:
        with self._turn_of(id), translated(writing=True):
            self._trash.forget(id)

    @contextmanager
    def _place_of(self, id: ArchiveId) -> Iterator[int]:
        """The directory that holds the archive."""
        with (
            self._archives.opened_if_there(id.profile, id.type) as archives,
            self._trash.trash.opened_if_there(id.profile, id.type) as trash,
        ):
            for directory in (archives, trash):
                if directory is not None and is_there(id, directory):
                    yield directory
                    return
        raise ArchiveNotFound(str(id))

    # -- the medium ----------------------------------------------------------------------------------------------

    def empty_quarantine(self, older_than: datetime) -> int:
        return self._quarantine.empty(older_than)

    def check(self) -> None:
        with translated():
            self._data.path.stat()

    def usage(self) -> Usage:
        with translated():
            medium = os.statvfs(self._data.path)
        used = (medium.f_blocks - medium.f_bfree) * medium.f_frsize
        return Usage(used_bytes=used, free_bytes=medium.f_bavail * medium.f_frsize)

    def sweep(self, older_than: datetime, keeping: Callable[[], Collection[str]] = tuple) -> int:
        limit = older_than.timestamp()
        touched: dict[str, float] = {}
        with translated(writing=True):
            with os.scandir(self._data.staging) as entries:
                for entry in entries:
                    id, dot, suffix = entry.name.rpartition(".")
                    if dot + suffix in _STAGED_SUFFIXES and entry.is_file(follow_symlinks=False):
                        with suppress(FileNotFoundError):  # its writer has just finished
                            seconds = entry.stat(follow_symlinks=False).st_mtime
                            touched[id] = max(touched.get(id, seconds), seconds)
            # Checked after the listing: a writer of this process is registered before its file exists, and ids are
            # never reused.
            kept = keeping()
            abandoned = [
                id
                for id, seconds in touched.items()
                if seconds < limit and id not in kept and id not in self._open_writers
            ]
            for id in abandoned:
                self._unlink_staged(id)
        return len(abandoned)

    @property
    def staging(self) -> Path:
        """The folder of bytes that are not yet published."""
        return self._data.staging

    @property
    def members(self) -> Path:
        """The folder of the records of archives' members."""
        return self._data.members

    @property
    def seek(self) -> Path:
        """The folder for seek indexes. It need not exist."""
        return self._data.seek

    @property
    def sums(self) -> Path:
        """The folder for the sums of archives' blocks. It need not exist."""
        return self._data.sums

    def close(self) -> None:
        self._data.close()

    # -- for the writer ------------------------------------------------------------------------------------------

    def _staged(self, id: str, suffix: str) -> str:
        return f"{self._data.staging}/{id}{suffix}"

    @contextmanager
    def _written(self, content: bytes) -> Iterator[StagedFile]:
        """*content* as a durable file in staging, which is gone afterwards if it has not moved to its place."""
        id = self._ids.new()
        self._open_writers.add(id)
        try:
            staged = StagedFile.written(self._staged(id, SIDECAR_SUFFIX), content)
            try:
                yield staged
            finally:
                staged.drop()
        finally:
            self._open_writers.discard(id)

    def _write_staged_marks(self, id: str, marks: bytes) -> None:
        path = self._staged(id, MARKS_SUFFIX)
        unlink(path)  # from an earlier seal
        StagedFile.written(path, marks)

    def _unlink_staged(self, id: str) -> None:
        with ExitStack() as stack:
            for suffix in reversed(_STAGED_SUFFIXES):  # the last one put on a stack is called first
                stack.callback(unlink, self._staged(id, suffix))

    def _forget_writer(self, id: str) -> None:
        self._open_writers.discard(id)

    def _publish(self, staged: str, id: ArchiveId, *, has_marks: bool) -> None:
        with self._turn_of(id), self._archives.made(id.profile, id.type) as directory:
            if is_there(id, directory) or self._trash.holds(id):
                raise AlreadyPublished(id)
            unlink_beside(id, directory)  # left by a crash in the middle of publishing or removing
            with ExitStack() as undo:
                if has_marks:
                    self._link_staged(staged, MARKS_SUFFIX, id.name + MARKS_SUFFIX, directory, undo)
                self._link(staged, id, directory)
                undo.pop_all()

    def _replace(self, staged: str, id: ArchiveId) -> None:
        with self._turn_of(id), self._archives.made(id.profile, id.type) as directory:
            self._quarantine.take_in(id, directory, self._ids.new())
            unlink(id.name, directory)
            unlink(id.name + SIDECAR_SUFFIX, directory)
            self._link(staged, id, directory)

    def _link(self, staged: str, id: ArchiveId, directory: int) -> None:
        with ExitStack() as undo:
            self._link_sidecar(staged, id, directory, undo)
            self._link_staged(staged, _PART_SUFFIX, id.name, directory, undo)
            self._syncs.sync((id.profile, id.type), partial(os.fsync, directory))
            undo.pop_all()

    def _link_sidecar(self, staged: str, id: ArchiveId, directory: int, undo: ExitStack) -> None:
        self._link_staged(staged, SIDECAR_SUFFIX, id.name + SIDECAR_SUFFIX, directory, undo)

    def _link_staged(self, staged: str, suffix: str, name: str, directory: int, undo: ExitStack) -> None:
        os.link(self._staged(staged, suffix), name, dst_dir_fd=directory, follow_symlinks=False)
        undo.callback(unlink, name, directory)

    def _rename_staged(self, staged: str, suffix: str, name: str, directory: int) -> None:
        # The old side-car is known to be wrong or outdated here, and the new one is durable: one is always in place.
        os.rename(self._staged(staged, suffix), name, dst_dir_fd=directory)

    # -- directories ---------------------------------------------------------------------------------------------

    def _turn_of(self, id: ArchiveId) -> threading.Lock:
        return self._turns[hash(id) % len(self._turns)]

    def _scan_directory(self, profile: str, type: BackupType) -> Iterator[StoredArchive]:
        with ExitStack() as stack:
            with translated():
                try:
                    directory = stack.enter_context(self._archives.opened(profile, type))
                except (FileNotFoundError, NotADirectoryError):
                    return
                names = names_in(directory)
            for name in sorted(names):
                try:
                    id = ArchiveId(profile, type, name)
                except InvalidName:
                    continue
                with translated():
                    found = look_at(id, directory)
                if found is not None:
                    yield found


@define(eq=False)
class _Writer:
    _store: FilesystemArchiveStore
    id: str
    _file: io.FileIO
    size_bytes: int = 0
    _is_synced: bool = False
    _is_sealed: bool = False
    _is_published: bool = False
    _has_failed: bool = False
    _has_marks: bool = False
    _outlives: bool = False  # the bytes stay in staging when the writer is closed

    def write(self, block: Block) -> None:
        with self._step():
            self._is_synced = self._is_sealed = False
            rest = memoryview(block).cast("B")
            while rest:
                count = self._file.write(rest)
                self._start_write_back(count)
                rest = rest[count:]

    def sync(self) -> None:
        with self._step():
            os.fsync(self._file.fileno())

    def staged(self, start: int = 0) -> Iterator[bytes]:
        with translated():
            while block := os.pread(self._file.fileno(), _BLOCK_BYTES, start):
                start += len(block)
                yield block

    def truncate(self, size_bytes: int) -> None:
        with self._step():
            self._is_synced = self._is_sealed = False
            self._file.truncate(size_bytes)
            self._file.seek(size_bytes)
            self.size_bytes = size_bytes

    def seal(self, sidecar: bytes, marks: bytes | None = None) -> None:
        with self._step():
            self._is_sealed = False
            self._has_marks = marks is not None
            if marks is not None:
                self._store._write_staged_marks(self.id, marks)
            # The name in staging is not made durable: after a power cut nothing looks for it there.
            with create_anew(self._store._staged(self.id, SIDECAR_SUFFIX), 0o400) as file:
                rest = memoryview(sidecar)
                while rest:
                    rest = rest[file.write(rest) :]
                # Written out before the first fsync, which lets the file system commit both inodes at once: on ext4 the
                # two take 0.36 ms instead of 0.49 ms for an archive of 100 KB.
                with suppress(OSError):
                    os.posix_fadvise(file.fileno(), 0, 0, os.POSIX_FADV_DONTNEED)
                if not self._is_synced:
                    os.fchmod(self._file.fileno(), 0o400)
                    os.fsync(self._file.fileno())
                    self._is_synced = True
                os.fsync(file.fileno())
            self._is_sealed = True

    def publish(self, id: ArchiveId) -> None:
        self._make_visible(id, partial(self._store._publish, has_marks=self._has_marks))

    def replace(self, id: ArchiveId) -> None:
        self._make_visible(id, self._store._replace)

    def _make_visible(self, id: ArchiveId, link: Callable[[str, ArchiveId], None]) -> None:
        with self._step():
            if not self._is_sealed:
                raise ValueError("seal the archive before publishing it")
            link(self.id, id)
            self._is_published = True
        # The archive is stored and must not be reported as failed; the next sweep removes a name left in staging.
        with suppress(OSError):
            self._store._unlink_staged(self.id)

    @contextmanager
    def _step(self) -> Iterator[None]:
        if self._is_published:
            raise ValueError("this archive is published")
        if self._has_failed:
            raise BackendUnavailable("store", "writing this archive failed before")
        try:
            with translated(writing=True):
                yield
        except (AlreadyPublished, ValueError):
            raise
        except BaseException:
            self._has_failed = True
            raise

    def _start_write_back(self, count: int) -> None:
        before, self.size_bytes = self.size_bytes, self.size_bytes + count
        window = self.size_bytes // _WRITE_BACK_BYTES
        if window > before // _WRITE_BACK_BYTES:
            start = max(0, window - 2) * _WRITE_BACK_BYTES
            with suppress(OSError):  # advice only: the fsync in seal is what counts, and it reports errors
                os.posix_fadvise(self._file.fileno(), start, self.size_bytes - start, os.POSIX_FADV_DONTNEED)

    def __enter__(self) -> _Writer:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        with translated(writing=True), ExitStack() as stack:
            stack.callback(self._store._forget_writer, self.id)
            if not self._is_published and not self._outlives:
                stack.callback(self._store._unlink_staged, self.id)
            stack.callback(self._file.close)


@frozen(eq=False)
class _Reader:
    _id: ArchiveId
    _file: io.FileIO
    _start: int
    _stop: int

    @property
    def size_bytes(self) -> int:
        return self._stop - self._start

    def __iter__(self) -> Iterator[bytes]:
        position = self._start
        while position < self._stop:
            with translated():
                block = self._block(position)
            if not block:
                raise ArchiveCorrupt(self._id)
            position += len(block)
            yield block

    def _block(self, position: int) -> bytes:
        try:
            return os.pread(self._file.fileno(), min(_BLOCK_BYTES, self._stop - position), position)
        except OSError as error:
            if error.errno != errno.EIO:
                raise
            raise ArchiveCorrupt(self._id) from error  # the disk can no longer read these bytes

    def at(self, position: int, count: int) -> bytes:
        """Up to *count* bytes, starting at *position*."""
        with translated():
            return os.pread(self._file.fileno(), count, position)

    def __enter__(self) -> _Reader:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        self._file.close()


def _reader(id: ArchiveId, name: str, directory: int, start: int = 0, stop: int | None = None) -> _Reader:
    """A reader of the file *name*, which belongs to *id*. Raises FileNotFoundError."""
    file = open_regular(name, directory)
    size = os.fstat(file.fileno()).st_size
    first = min(max(start, 0), size)
    last = size if stop is None else min(max(stop, first), size)
    with suppress(OSError):  # advice only: reading works without it
        os.posix_fadvise(file.fileno(), first, last - first, os.POSIX_FADV_SEQUENTIAL)
    return _Reader(id, file, first, last)
