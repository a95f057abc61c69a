"""The members of archives, recorded while the archives passed: a cache."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from contextlib import AbstractContextManager
from typing import Protocol

from ..comparing.fit import Compatibility
from ..names.footprints import Footprint
from ..names.name_table import NameTable
from ..tar.members import MemberRecord


class RecordsWriter(AbstractContextManager["RecordsWriter", None], Protocol):
    """
    The records of one archive while they are written; used by one thread at a time.

    No method raises for failures of the medium: the records can be made again, and the archive must not suffer. After a
    record could not be kept, the rest is dropped and nothing is published. Leaving the context drops what is not
    published.
    """

    def write(self, records: Sequence[MemberRecord]) -> None:
        """Append *records*, which follow all earlier ones in the tar, in its order."""

    def publish(self, sha256: str) -> None:
        """Keep the written records, if all could be kept, as those of the archive with this digest. Call it once."""


class MemberRecords(Protocol):
    """
    The members of archives, recorded while the archives passed. A cache: it may lose what it holds at any time.

    Records are found by the SHA-256 of their archive, in lower-case hex, so they cannot be out of date. They are whole
    or missing: unpublished or damaged records count as missing.
    """

    def begin(self) -> RecordsWriter:
        """Start recording an archive."""

    def read(self, sha256: str, *, directories_only: bool = False, start: int = 0) -> Iterator[MemberRecord]:
        """
        The records of an archive, in the order of its tar, from position *start* on; or only those of directories.

        Cost: next to nothing for records that were not requested.

        Works in memory bounded by the largest record.

        Raises:
            RecordsMissing: the archive has no records (at this call), or a record turns out to be damaged (later).
        """

    def at(self, sha256: str, positions: Sequence[int]) -> Iterator[MemberRecord]:
        """
        The records of an archive at *positions*, which ascend; positions beyond the end are skipped.

        Raises:
            RecordsMissing: as `read`.
        """

    def table(self, sha256: str, limit_bytes: int, like: str | None = None) -> NameTable:
        """
        The names of the members of an archive, by directory and name.

        *like* is an archive with mostly the same names; the table then shares theirs to save memory. Reading the table
        later may raise RecordsMissing, too.

        Raises:
            RecordsMissing: as `read`.
            MemberUnreadable: the headers of a member cannot be read.
            TreeTooLarge: the names need more than *limit_bytes*.
        """

    def fits(self, child: str) -> dict[str, Compatibility]:
        """
        The kept results of comparing *child* with other archives, by the SHA-256 of each; under its own SHA-256 the
        result of looking at *child* alone (see `untroubled`). Never raises.
        """

    def keep_fits(self, child: str, fits: Mapping[str, Compatibility]) -> None:
        """Keep *fits* with the records of *child*, if possible, in place of earlier ones. Never raises."""

    def footprint(self, sha256: str) -> Footprint:
        """
        Where tar writes when it extracts an archive.

        Raises:
            RecordsMissing: as `read`.
        """

    def is_whole(self, sha256: str) -> bool:
        """Whether the records of an archive are as written, or absent. Reads all of them. Never raises."""

    def remove(self, sha256: str) -> None:
        """
        Forget the records of an archive, and its fits. Missing records, or a failure to remove them, are no error.
        """

    def sweep(self) -> None:
        """Drop the unpublished records that earlier processes left."""
