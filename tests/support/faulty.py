"""Memory adapters that fail at a call named by the test, with the error of a real adapter."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import AbstractContextManager, nullcontext
from datetime import timedelta
from types import TracebackType

from attrs import define, frozen

from tarkeep.adapters.memory.catalog import MemoryCatalog
from tarkeep.adapters.memory.member_records import MemoryMemberRecords
from tarkeep.adapters.memory.store import MemoryArchiveStore
from tarkeep.domain.errors.archives import ReceiveInProgress
from tarkeep.domain.identity.archive_id import ArchiveId
from tarkeep.domain.ports.members import RecordsWriter
from tarkeep.domain.ports.store import ArchiveReader, ArchiveWriter, Block


@frozen
class Fault:
    """Raise *error* at every call of the method named *call*."""

    call: str
    error: Exception

    def at(self, call: str) -> None:
        if call == self.call:
            raise self.error


class FaultyCatalog(MemoryCatalog):
    """A `Catalog` that fails according to *fault*, at any of its methods."""

    def __init__(self, fault: Fault) -> None:
        self._fault = fault  # first: making it calls methods, too
        super().__init__()

    def __getattribute__(self, name: str) -> object:
        if not name.startswith("_"):
            self._fault.at(name)
        return super().__getattribute__(name)


@define(eq=False, kw_only=True)
class FaultyStore(MemoryArchiveStore):
    """An `ArchiveStore` that fails according to *fault*: begin, read, or a call of a writer."""

    fault: Fault

    def begin(self) -> ArchiveWriter:
        self.fault.at("begin")
        return _FaultyWriter(MemoryArchiveStore.begin(self), self.fault)

    def resume(self, upload: str, size_bytes: int) -> ArchiveWriter:
        self.fault.at("resume")
        return _FaultyWriter(MemoryArchiveStore.resume(self, upload, size_bytes), self.fault)

    def read(self, id: ArchiveId, start: int = 0, stop: int | None = None) -> ArchiveReader:
        self.fault.at("read")
        return MemoryArchiveStore.read(self, id, start, stop)


@frozen(eq=False)
class _FaultyWriter:
    _inner: ArchiveWriter
    _fault: Fault

    @property
    def size_bytes(self) -> int:
        return self._inner.size_bytes

    def sync(self) -> None:
        self._fault.at("sync")
        self._inner.sync()

    def staged(self, start: int = 0) -> Iterator[bytes]:
        return self._inner.staged(start)

    def truncate(self, size_bytes: int) -> None:
        self._inner.truncate(size_bytes)

    def write(self, block: Block) -> None:
        self._fault.at("write")
        self._inner.write(block)

    def seal(self, sidecar: bytes, marks: bytes | None = None) -> None:
        self._fault.at("seal" if marks is None else "seal with marks")
        self._inner.seal(sidecar, marks)

    def publish(self, id: ArchiveId) -> None:
        self._fault.at("publish")
        self._inner.publish(id)

    def replace(self, id: ArchiveId) -> None:
        self._fault.at("publish")
        self._inner.replace(id)

    def __enter__(self) -> _FaultyWriter:
        self._inner.__enter__()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        self._inner.__exit__(kind, error, traceback)


@define(eq=False)
class RecordsThatCannotBeKept(MemoryMemberRecords):
    """`MemberRecords` on a full disk: writes are silently dropped, as the port allows."""

    def begin(self) -> RecordsWriter:
        return MemoryMemberRecords().begin()


@frozen
class NamesAlwaysHeld:
    """`NameLocks` while another upload of the same name never ends."""

    def hold(self, id: ArchiveId, patience: timedelta) -> AbstractContextManager[None]:
        raise ReceiveInProgress(id)

    def hold_profile(self, profile: str) -> AbstractContextManager[None]:  # never reached
        return nullcontext()
