"""The members of archives, as they were recorded while these passed: a cache."""

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
    Records of one archive on their way; used by one thread at a time.

    None of its methods raises for what the medium does: these records can be made again, and what they are made of
    must not suffer. Once something could not be kept, the rest is dropped and nothing is published. Leaving the context
    drops what is not published.
    """

    def write(self, records: Sequence[MemberRecord]) -> None:
        """Append *records*, which stand behind all others in the tar, in its order."""

    def publish(self, sha256: str) -> None:
        """Keep what was written, if all of it could be, as the records of the archive with this digest. Once."""


class MemberRecords(Protocol):
    """
    The members of archives, as they were recorded while these passed. A cache: it may lose what it holds at any time.

    Records are found by the SHA-256 of their archive, in lower-case hex, so they cannot be out of date. Whole or
    missing: those of a writer that was not published, or damaged since, are not there.
    """

    def begin(self) -> RecordsWriter:
        """Start recording an archive."""

    def read(self, sha256: str, *, directories_only: bool = False, start: int = 0) -> Iterator[MemberRecord]:
        """
        The records of an archive, in the order of its tar, from the position *start* on; or only those of directories.

        Cost: of what is not asked for, next to nothing.

        Works in bounded memory, besides the largest record.

        Raises:
            RecordsMissing: there are none, at this call; or later, once a record turns out to be damaged.
        """

    def at(self, sha256: str, positions: Sequence[int]) -> Iterator[MemberRecord]:
        """
        Those records of an archive that stand at *positions*, which ascend; where none stands, none.

        Raises:
            RecordsMissing: as `read`.
        """

    def table(self, sha256: str, limit_bytes: int, like: str | None = None) -> NameTable:
        """
        What the members of an archive are called, by directory and name.

        *like* is an archive that says mostly the same, so that room is saved where nothing is told twice. What is read
        of the table later may raise RecordsMissing, too.

        Raises:
            RecordsMissing: as `read`.
            MemberUnreadable: at a member whose headers are not.
            TreeTooLarge: there are more names than *limit_bytes* allows for.
        """

    def fits(self, child: str) -> dict[str, Compatibility]:
        """
        What was kept of comparing *child* with others, by the SHA-256 of these, and by its own of looking at it alone
        (see `untroubled`). No errors.
        """

    def keep_fits(self, child: str, fits: Mapping[str, Compatibility]) -> None:
        """Keep *fits* with the records of *child* instead of what was kept before, if it can be done. No errors."""

    def footprint(self, sha256: str) -> Footprint:
        """
        Where tar goes when it extracts an archive.

        Raises:
            RecordsMissing: as `read`.
        """

    def is_whole(self, sha256: str) -> bool:
        """Whether the records of an archive are what was written, or there are none. Reads all of them. No errors."""

    def remove(self, sha256: str) -> None:
        """
        Forget the records of an archive, and its fits. None there is no error, nor that they could not be removed.
        """

    def sweep(self) -> None:
        """Drop what writers of former processes left unpublished."""
