"""
Records of members as files in the data directory, one for each archive, named by its SHA-256.

::

    DATA/members/ab/<sha256>          published; a digest that begins with ab
    DATA/members/ab/<sha256>.fits     results of comparing it with others, see `fit_files`
    DATA/members/ab/<sha256>.footprint    the paths that tar touches when it extracts the archive
    DATA/members/<id>.part            while it is written

While an archive passes, its records are written as they arrive (`passing_records`). The first lookup of names sorts
them and replaces the file (`settled_records`), where most records of an incremental archive may refer to those of
another. ``docs/storage-format.md`` has the details. Files are written to a temporary name and renamed, without a single
fsync: CRCs expose a file torn by a power cut before it is used, and it counts as missing. A cache must never be the
reason that an archive is refused, so no writing method raises.
"""

from __future__ import annotations

import io
import os
import re
import threading
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import suppress
from pathlib import Path
from types import TracebackType

from attrs import define, field

from ...domain.comparing.fit import Compatibility
from ...domain.errors.archives import RecordsMissing
from ...domain.errors.restoring import TreeTooLarge
from ...domain.names.columns import tables
from ...domain.names.footprints import Footprint, Treading, footprint_of
from ...domain.names.name_table import NameTable
from ...domain.names.table_maker import held_table
from ...domain.ports.members import RecordsWriter
from ...domain.ports.system import IdSource
from ...domain.tar.members import MemberRecord
from .fit_files import FITS_SUFFIX, read_fits, write_fits
from .footprint_bytes import footprint_bytes, read_footprint
from .kept_columns import KeptColumns
from .passing_records import PassingRecords, PassingWriter
from .settled_records import SettledRecords
from .settling import settle

_PART_SUFFIX = ".part"
_NAMES_SUFFIX = ".names"  # of files that earlier versions made
_FOOTPRINT_SUFFIX = ".footprint"
_SHA256 = re.compile(r"[0-9a-f]{64}", re.ASCII)
_BASES = 2  # kept open
_REFUSED = 100  # archives with too many names that are remembered


@define(eq=False)
class FilesystemMemberRecords:
    """`MemberRecords` in the folder *path*, which no other process writes to."""

    path: Path
    _ids: IdSource
    _open_writers: set[str] = field(factory=set, init=False, repr=False)
    _bases: dict[str, SettledRecords] = field(factory=dict, init=False, repr=False)
    _kept: KeptColumns = field(factory=KeptColumns, init=False, repr=False)
    _refused: dict[tuple[str, int], None] = field(factory=dict, init=False, repr=False)
    _lock: threading.Lock = field(factory=threading.Lock, init=False, repr=False)

    def begin(self) -> RecordsWriter:
        return _Writer(self._begin(), self._place)

    def read(self, sha256: str, *, directories_only: bool = False, start: int = 0) -> Iterator[MemberRecord]:
        return self._open(sha256).read(directories_only=directories_only, start=start)

    def at(self, sha256: str, positions: Sequence[int]) -> Iterator[MemberRecord]:
        return self._open(sha256).at(positions)

    def table(self, sha256: str, limit_bytes: int, like: str | None = None) -> NameTable:
        place = self._place(sha256)
        with suppress(RecordsMissing):
            return SettledRecords(place, sha256, self._base, self._kept)
        if (sha256, limit_bytes) in self._refused:
            raise TreeTooLarge(limit_bytes)
        records, treading = PassingRecords(place, sha256), Treading()
        try:
            with self._begin() as part, suppress(OSError):
                settle(treading.on(records.read()), self._settled(like), part.append, limit_bytes)
                part.publish(place)
                self._keep_footprint(sha256, treading.footprint())
        except TreeTooLarge:
            self._refuse(sha256, limit_bytes)
            raise
        with suppress(RecordsMissing):
            return SettledRecords(place, sha256, self._base, self._kept)
        return held_table(tables(records.read()), limit_bytes)  # they could not be written

    def footprint(self, sha256: str) -> Footprint:
        place = self._place(sha256).with_name(sha256 + _FOOTPRINT_SUFFIX)
        records = self.read(sha256)
        with suppress(OSError, ValueError):
            return read_footprint(place.read_bytes())
        found = footprint_of(records)
        self._keep_footprint(sha256, found)
        return found

    def _keep_footprint(self, sha256: str, footprint: Footprint) -> None:
        with self._begin() as part, suppress(OSError):  # a failure to keep it is not an error
            part.append(footprint_bytes(footprint))
            part.publish(self._place(sha256).with_name(sha256 + _FOOTPRINT_SUFFIX))

    def is_whole(self, sha256: str) -> bool:
        try:
            self._open(sha256).check()
        except RecordsMissing:
            return not (_SHA256.fullmatch(sha256) and os.path.lexists(self._place(sha256)))
        return True

    def remove(self, sha256: str) -> None:
        with self._lock:
            self._bases.pop(sha256, None)
        with suppress(OSError, RecordsMissing):
            self._place(sha256).unlink(missing_ok=True)
            self._place(sha256).with_name(sha256 + _NAMES_SUFFIX).unlink(missing_ok=True)
            self._place(sha256).with_name(sha256 + FITS_SUFFIX).unlink(missing_ok=True)
            self._place(sha256).with_name(sha256 + _FOOTPRINT_SUFFIX).unlink(missing_ok=True)

    def fits(self, child: str) -> dict[str, Compatibility]:
        if not _SHA256.fullmatch(child):
            return {}
        return read_fits(f"{self.path}/{child[:2]}/{child}{FITS_SUFFIX}")

    def keep_fits(self, child: str, fits: Mapping[str, Compatibility]) -> None:
        if _SHA256.fullmatch(child):
            write_fits(self._place(child).with_name(child + FITS_SUFFIX), self._part(self._ids.new()), fits)

    def sweep(self) -> None:
        with suppress(OSError):
            for part in self.path.glob("*" + _PART_SUFFIX):
                if part.name.removesuffix(_PART_SUFFIX) not in self._open_writers:
                    part.unlink(missing_ok=True)
            for names in self.path.glob("??/*" + _NAMES_SUFFIX):
                names.unlink(missing_ok=True)

    def _open(self, sha256: str) -> PassingRecords | SettledRecords:
        place = self._place(sha256)
        with suppress(RecordsMissing):
            return SettledRecords(place, sha256, self._base, self._kept)
        return PassingRecords(place, sha256)

    def _settled(self, sha256: str | None) -> SettledRecords | None:
        if sha256 is None:
            return None
        with suppress(RecordsMissing):
            found = SettledRecords(self._place(sha256), sha256, self._base, self._kept)
            return self._base(sha256) if found.base is None else found
        return None

    def _base(self, sha256: str) -> SettledRecords:
        """Records that others refer to; the last few stay open."""
        with self._lock:
            found = self._bases.pop(sha256, None) or SettledRecords(self._place(sha256), sha256, _no_base, self._kept)
            self._bases[sha256] = found
            if len(self._bases) > _BASES:
                del self._bases[next(iter(self._bases))]
        return found

    def _refuse(self, sha256: str, limit_bytes: int) -> None:
        """Remember that a table of this archive's names exceeded the limit."""
        with self._lock:
            self._refused[sha256, limit_bytes] = None
            if len(self._refused) > _REFUSED:
                del self._refused[next(iter(self._refused))]

    def _place(self, sha256: str) -> Path:
        if not _SHA256.fullmatch(sha256):
            raise RecordsMissing(sha256)
        return self.path / sha256[:2] / sha256

    def _begin(self) -> _Part:
        id = self._ids.new()
        self._open_writers.add(id)
        return _Part(self._part(id), lambda: self._open_writers.discard(id))

    def _part(self, id: str) -> Path:
        return self.path / (id + _PART_SUFFIX)


def _no_base(sha256: str) -> SettledRecords:
    raise RecordsMissing(sha256)


@define(eq=False)
class _Part:
    """An unfinished file, which exists from the first byte on. Leaving the context removes it unless published."""

    _path: Path
    _let_go: Callable[[], None]
    _file: io.FileIO | None = None
    _is_there: bool = False  # the file exists under this name

    def append(self, content: bytes) -> None:
        if self._file is None:
            self._file = self._begun()
        rest = memoryview(content)
        while rest:
            rest = rest[self._file.write(rest) :]

    def publish(self, place: Path) -> None:
        """Give the file its name."""
        assert self._file is not None
        self._close()
        place.parent.mkdir(mode=0o700, exist_ok=True)
        self._path.rename(place)
        self._is_there = False

    def drop(self) -> None:
        with suppress(OSError):
            self._close()
        if self._is_there:
            with suppress(OSError):
                self._path.unlink(missing_ok=True)

    def _begun(self) -> io.FileIO:
        self._is_there = True
        try:
            return io.FileIO(self._path, "xb", opener=_create)
        except FileNotFoundError:
            self._path.parent.mkdir(mode=0o700, exist_ok=True)
            return io.FileIO(self._path, "xb", opener=_create)

    def _close(self) -> None:
        file, self._file = self._file, None
        if file is not None:
            file.close()

    def __enter__(self) -> _Part:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        self.drop()
        self._let_go()


@define(eq=False)
class _Writer:
    _part: _Part
    _place: Callable[[str], Path]
    _records: PassingWriter = field(init=False)
    _is_over: bool = field(default=False, init=False)  # published, or a write failed

    @_records.default
    def _begin(self) -> PassingWriter:
        return PassingWriter(self._part.append)

    def write(self, records: Sequence[MemberRecord]) -> None:
        if self._is_over:
            return
        try:
            self._records.write(records)
        except OSError:
            self._drop()

    def publish(self, sha256: str) -> None:
        if self._is_over:
            return
        try:
            self._records.finish()
            self._part.publish(self._place(sha256))
        except OSError:
            self._drop()
        self._is_over = True

    def _drop(self) -> None:
        self._is_over = True
        self._records.forget()
        self._part.drop()

    def __enter__(self) -> _Writer:
        self._part.__enter__()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        self._records.forget()
        self._part.__exit__(kind, error, traceback)


def _create(path: str, flags: int) -> int:
    return os.open(path, flags | os.O_NOFOLLOW, 0o600)
