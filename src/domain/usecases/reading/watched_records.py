"""Recording the members of an archive, and noting on the way whether it is untroubled (see `untroubled`)."""

from __future__ import annotations

from collections.abc import Sequence

from attrs import define, field

from ...comparing.untroubled import Passing, alone
from ...ports.members import MemberRecords, RecordsWriter
from ...tar.members import MemberRecord


@define(eq=False)
class WatchedRecords:
    """
    A `RecordsWriter` of *records*. Only an untroubled result is kept: to be sure of trouble takes the table of names.
    """

    _records: MemberRecords
    _writer: RecordsWriter = field(init=False)
    _passing: Passing = field(factory=Passing, init=False)

    @_writer.default
    def _begin(self) -> RecordsWriter:
        return self._records.begin()

    def write(self, records: Sequence[MemberRecord]) -> None:
        self._passing.add(records)
        self._writer.write(records)

    def publish(self, sha256: str) -> None:
        self._writer.publish(sha256)
        if self._passing.is_untroubled:
            self._records.keep_fits(sha256, self._records.fits(sha256) | {sha256: alone("")})

    def __enter__(self) -> WatchedRecords:
        self._writer.__enter__()
        return self

    def __exit__(self, *_error: object) -> None:
        self._writer.__exit__(None, None, None)  # drops what is not published, after an error too
