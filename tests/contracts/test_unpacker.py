"""The contract of `Unpacker`, run for both stores and both index stores, with one engine each."""

from __future__ import annotations

import itertools
import threading
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path
from types import TracebackType

import pytest
from attrs import define, field

from tarkeep.adapters.filesystem.seek_indexes import MemorySeekIndexes, SeekFolder
from tarkeep.adapters.targz.deflate import InflateEngine, IsalInflater, ZlibInflater
from tarkeep.adapters.targz.seek_index import SeekIndexes
from tarkeep.adapters.targz.unpacker import TargzUnpacker
from tarkeep.domain.archives.archive import BackupArchive
from tarkeep.domain.errors.archives import ArchiveCorrupt, ArchiveNotFound
from tarkeep.domain.ports.store import ArchiveReader
from tests.contracts.unpacker import FAR_BYTES, SPACING_BYTES, UnpackerContract
from tests.support.store_doors import FilesystemDoor, MemoryDoor, StoreDoor


class _Endless:
    """A reader that continues after its archive with the same bytes over and over."""

    size_bytes = 1 << 60

    def __init__(self, reader: ArchiveReader, more: bytes, read_beside: threading.Event) -> None:
        self._reader = reader
        self._more = more
        self._read_beside = read_beside

    def __iter__(self) -> Iterator[bytes]:
        yield next(iter(self._reader))[:10]  # the header of its one gzip member
        if threading.current_thread() is not threading.main_thread():
            self._read_beside.set()
        yield from itertools.repeat(self._more)

    def __enter__(self) -> _Endless:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._reader.__exit__(kind, error, trace)


@define
class _Door:
    store: StoreDoor
    _indexes: SeekIndexes
    _engine: InflateEngine
    opened: list[int] = field(factory=list)
    _more: bytes = b""
    _read_beside: threading.Event = field(factory=threading.Event)
    unpacker: TargzUnpacker = field(init=False)

    def __attrs_post_init__(self) -> None:
        self.unpacker = TargzUnpacker(self._open, self._indexes, self._engine, FAR_BYTES, SPACING_BYTES, FAR_BYTES, 0.0)

    def _open(self, archive: BackupArchive, start: int, stop: int | None) -> ArchiveReader:
        self.opened.append(start)
        # unchecked: the promises of the unpacker do not depend on the checks of the reader
        try:
            reader = self.store.store.read(archive.id, start, stop)
        except ArchiveNotFound as error:
            raise ArchiveCorrupt(archive.id) from error
        if reader.size_bytes != (archive.size_bytes if stop is None else stop) - start:
            with reader:
                raise ArchiveCorrupt(archive.id)
        return _Endless(reader, self._more, self._read_beside) if self._more else reader

    def settle(self) -> None:
        self.unpacker.settle()

    def endless(self, content: bytes) -> threading.Event:
        self._more = content
        return self._read_beside

    def close(self) -> None:
        self.unpacker.close()
        self.store.close()


class _MemoryDoor(_Door):
    def __init__(self, engine: InflateEngine) -> None:
        self._kept = MemorySeekIndexes()
        super().__init__(MemoryDoor(), self._kept, engine)

    def index_of(self, archive: BackupArchive) -> bytes | None:
        return self._kept.indexes.get(archive.digests.sha256)

    def put_index(self, archive: BackupArchive, content: bytes) -> None:
        self._kept.indexes[archive.digests.sha256] = content

    def put_nowhere(self) -> None:
        """Memory never refuses a write."""

    def indexes(self) -> int:
        return len(self._kept.indexes)


class _FilesystemDoor(_Door):
    def __init__(self, path: Path, engine: InflateEngine) -> None:
        self._folder = path / "seek"
        super().__init__(FilesystemDoor(path), SeekFolder(self._folder), engine)

    def index_of(self, archive: BackupArchive) -> bytes | None:
        path = self._path(archive)
        return path.read_bytes() if path.exists() else None

    def put_index(self, archive: BackupArchive, content: bytes) -> None:
        self._path(archive).parent.mkdir(parents=True, exist_ok=True)
        self._path(archive).write_bytes(content)

    def put_nowhere(self) -> None:
        self._folder.write_bytes(b"a file where the folder should be")

    def indexes(self) -> int:
        return sum(path.is_file() for path in self._folder.rglob("*"))

    def _path(self, archive: BackupArchive) -> Path:
        return self._folder / archive.digests.sha256[:2] / archive.digests.sha256


class TestUnpackingFromMemory(UnpackerContract):
    @pytest.fixture
    def door(self) -> Iterator[_MemoryDoor]:
        with closing(_MemoryDoor(ZlibInflater)) as door:
            yield door


class TestUnpackingFromADisk(UnpackerContract):
    @pytest.fixture
    def door(self, tmp_path: Path) -> Iterator[_FilesystemDoor]:
        with closing(_FilesystemDoor(tmp_path / "data", IsalInflater)) as door:
            yield door
