"""Records of members in memory, lost with the process."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from types import TracebackType

from attrs import define, field

from ...domain.comparing.fit import Compatibility
from ...domain.errors.archives import RecordsMissing
from ...domain.names.columns import tables
from ...domain.names.footprints import Footprint, footprint_of
from ...domain.names.name_table import NameTable
from ...domain.names.table_maker import held_table
from ...domain.ports.members import RecordsWriter
from ...domain.tar.members import MemberRecord


@define(eq=False)
class MemoryMemberRecords:
    """`MemberRecords` in a dict; *published* is its content, by digest."""

    published: dict[str, tuple[MemberRecord, ...]] = field(factory=dict)
    _fits: dict[str, dict[str, Compatibility]] = field(factory=dict, init=False)

    def begin(self) -> RecordsWriter:
        return _Writer(self)

    def read(self, sha256: str, *, directories_only: bool = False, start: int = 0) -> Iterator[MemberRecord]:
        return (
            record
            for record in self._of(sha256)
            if record.at >= start and (record.is_directory or not directories_only)
        )

    def at(self, sha256: str, positions: Sequence[int]) -> Iterator[MemberRecord]:
        wanted = set(positions)
        return (record for record in self._of(sha256) if record.at in wanted)

    def table(self, sha256: str, limit_bytes: int, like: str | None = None) -> NameTable:
        del like
        return held_table(tables(self._of(sha256)), limit_bytes)

    def footprint(self, sha256: str) -> Footprint:
        return footprint_of(self._of(sha256))

    def _of(self, sha256: str) -> tuple[MemberRecord, ...]:
        records = self.published.get(sha256)
        if records is None:
            raise RecordsMissing(sha256)
        return records

    def is_whole(self, sha256: str) -> bool:
        del sha256
        return True

    def remove(self, sha256: str) -> None:
        self.published.pop(sha256, None)
        self._fits.pop(sha256, None)

    def fits(self, child: str) -> dict[str, Compatibility]:
        return dict(self._fits.get(child, {}))

    def keep_fits(self, child: str, fits: Mapping[str, Compatibility]) -> None:
        self._fits[child] = dict(fits)

    def sweep(self) -> None:
        """Does nothing: writers of earlier processes left nothing."""


@define(eq=False)
class _Writer:
    _records: MemoryMemberRecords
    _written: list[MemberRecord] = field(factory=list)

    def write(self, records: Sequence[MemberRecord]) -> None:
        self._written += records

    def publish(self, sha256: str) -> None:
        self._records.published[sha256] = tuple(self._written)

    def __enter__(self) -> _Writer:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        self._written.clear()
