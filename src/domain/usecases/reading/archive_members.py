"""
What is known of the members of stored archives: records and names, made when an archive arrived, and again if lost.
"""

from __future__ import annotations

from bisect import bisect_left
from collections import deque
from collections.abc import Callable, Iterator, Sequence
from contextlib import suppress
from typing import TypeVar

from attrs import frozen

from ...archives.archive import BackupArchive
from ...errors.archives import RecordsMissing
from ...errors.content import MemberUnreadable
from ...errors.restoring import TreeTooLarge
from ...names.columns import MemberColumns, tables
from ...names.footprints import Footprint, footprint_of
from ...names.joined import taken_apart
from ...names.name_table import NameTable, last_at, listed_in_order
from ...names.table_maker import held_table
from ...ports.inspection import Inspector, Recorder
from ...ports.members import MemberRecords
from ...tar.members import Member, MemberRecord
from ...tar.paths import MAX_HELD_BYTES, NAME_BYTES, canonical
from ...tar.read_headers import read_to_show
from .read_archive import ReadArchive
from .watched_records import WatchedRecords

NOT_IN_ORDER = (TreeTooLarge, MemberUnreadable)
"""Raised by `ArchiveMembers.table` for an archive whose names cannot be put in order; its records can still be read."""

_T = TypeVar("_T")
_NAME_FIELD_BYTES = 90  # any header holds at least this much of a name in one piece
_FED_BYTES = (
    16 << 10
)  # fed at once from an archive whose records are not kept: at most a thousand times as much is inflated


@frozen
class ArchiveMembers:
    """
    The members of archives, for every use case that looks inside one: as records in the order of the tar, or as names.

    They are read from the records made when the archive arrived; if these are lost or damaged, they are made again from
    its bytes. No use case: it answers nobody's request, and each caller asks for another part of the same knowledge.

    *inspector* reads members even if the settings turn inspection of received archives off. Two callers that miss the
    same records both make them. *max_names_bytes* bounds the memory for names and paths of one archive, or of one tree.
    """

    records: MemberRecords
    read: ReadArchive
    inspector: Inspector
    max_names_bytes: int = MAX_HELD_BYTES

    def of(self, archive: BackupArchive, *, directories_only: bool = False, start: int = 0) -> Iterator[MemberRecord]:
        """
        The records from position *start* on, in the order of the tar; with *directories_only* those of directories.

        Raises:
            ArchiveCorrupt: the archive has to be read and is not what was received; raised at the call, or later if
                records turn out to be damaged then.
            RejectedContent, ExpandsTooFar: likewise, if the archive is as received, but its tar cannot be read.
        """

        def kept(start: int) -> Iterator[MemberRecord]:
            return self.records.read(archive.digests.sha256, directories_only=directories_only, start=start)

        def passing(start: int) -> Iterator[MemberRecord]:
            return (
                record
                for record in self._passing(archive)
                if record.at >= start and (record.is_directory or not directories_only)
            )

        return self._found(archive, start, kept, passing)

    def at(self, archive: BackupArchive, positions: Sequence[int]) -> Iterator[MemberRecord]:
        """The records at *positions*, which ascend. Raises like `of`."""

        def kept(start: int) -> Iterator[MemberRecord]:
            return self.records.at(archive.digests.sha256, positions[bisect_left(positions, start) :])

        def passing(start: int) -> Iterator[MemberRecord]:
            wanted = set(positions)
            return (record for record in self._passing(archive) if record.at >= start and record.at in wanted)

        return self._found(archive, 0, kept, passing)

    def table(self, archive: BackupArchive, like: BackupArchive | None = None) -> NameTable:
        """
        The names of the members, by directory and name.

        *like* is an archive with mostly the same names, such as the parent of *archive*. Raises like `of`. If the
        table raises RecordsMissing while it is read, the caller has to begin anew, see `again`.

        Raises:
            MemberUnreadable: the headers of a member cannot be read.
            TreeTooLarge: the archive has more names than can be held.
        """
        sha256, base = archive.digests.sha256, None if like is None else like.digests.sha256
        limit_bytes = self.max_names_bytes
        if archive.contents is not None and archive.contents.members * NAME_BYTES > limit_bytes:
            raise TreeTooLarge(limit_bytes)  # before anything is read
        found = self._kept(archive, lambda: self.records.table(sha256, limit_bytes, base))
        return found or held_table(tables(self._passing(archive)), limit_bytes)

    def parts(self, archive: BackupArchive) -> Sequence[NameTable]:
        """The tables of the dumps that tar joined in *archive*. Raises like `table`."""
        return taken_apart(tables(self.of(archive)), self.max_names_bytes)

    def names(self, archive: BackupArchive, like: BackupArchive | None = None) -> Iterator[MemberColumns]:
        """The directories that have listings, with their listings, in the order of the tar. Raises like `table`."""
        return listed_in_order(self.table(archive, like))

    def last(self, archive: BackupArchive, path: bytes) -> Member | None:
        """
        The last member at the canonical *path*, without its listing; None if the archive lacks it. Raises like `of`.

        Cost: finding one name among sorted ones; the first query of an archive sorts its names.

        Raises:
            MemberUnreadable: the headers of the member cannot be read.
        """
        try:
            at = self.again(lambda: last_at(self.table(archive), path))
        except NOT_IN_ORDER:
            found = None
            for record in self.perhaps_named(archive, path):
                member = read_to_show(record)
                if canonical(member.path) == path:
                    found = member
            return found
        return None if at is None else self.member(archive, at)

    def member(self, archive: BackupArchive, at: int) -> Member | None:
        """The member at the position *at*, without its listing; None if no member begins there. Raises like `last`."""
        return next(map(read_to_show, self.at(archive, [at])), None)

    def perhaps_named(self, archive: BackupArchive, path: bytes) -> Iterator[MemberRecord]:
        """All records that may be of *path*, and those of directories. Raises like `of`. Cost: reads all records."""
        # decoding a record costs 30 times as much as finding that the name is not in it
        name = path.rpartition(b"/")[2][:_NAME_FIELD_BYTES]
        return (record for record in self.of(archive) if record.is_directory or name in record.headers)

    def again(self, look: Callable[[], _T]) -> _T:
        """
        What *look* finds in tables; if one turns out to be damaged, it is dropped, and *look* begins anew.

        Raises:
            RecordsMissing: the same records were lost twice.
        """
        dropped: set[str] = set()
        while True:
            try:
                return look()
            except RecordsMissing as error:
                if error.sha256 in dropped:
                    raise
                dropped.add(error.sha256)
                self.records.remove(error.sha256)

    def footprint(self, archive: BackupArchive) -> Footprint:
        """Where tar writes when it extracts *archive*. Raises like `of`."""
        return self._kept(archive, lambda: self.records.footprint(archive.digests.sha256)) or footprint_of(
            self._passing(archive)
        )

    def _found(
        self,
        archive: BackupArchive,
        start: int,
        kept: Callable[[int], Iterator[MemberRecord]],
        passing: Callable[[int], Iterator[MemberRecord]],
    ) -> Iterator[MemberRecord]:
        """
        Records from *start* on, kept ones or, failing that, from the bytes; damaged ones are made anew from there.
        """
        records = self._kept(archive, lambda: kept(start))
        return passing(start) if records is None else self._resumed(archive, records, start, kept, passing)

    def _resumed(
        self,
        archive: BackupArchive,
        records: Iterator[MemberRecord],
        start: int,
        kept: Callable[[int], Iterator[MemberRecord]],
        passing: Callable[[int], Iterator[MemberRecord]],
    ) -> Iterator[MemberRecord]:
        try:
            for record in records:
                start = record.at + 1
                yield record
        except RecordsMissing as error:
            self._remake(archive, error)
            try:
                for record in kept(start):
                    start = record.at + 1
                    yield record
            except RecordsMissing:  # records cannot be kept there
                yield from passing(start)

    def _kept(self, archive: BackupArchive, read: Callable[[], _T]) -> _T | None:
        """The result of *read*, with records made first if they are missing; None if they cannot be kept."""
        try:
            return read()
        except RecordsMissing as error:
            self._remake(archive, error)
        with suppress(RecordsMissing):  # perhaps because the disk is full
            return read()
        return None

    def _remake(self, archive: BackupArchive, error: RecordsMissing) -> None:
        """
        Make the records of *archive* anew; if *error* is about other records that they refer to, drop these first.
        """
        if error.sha256 != archive.digests.sha256:
            self.records.remove(error.sha256)
        self.remake(archive)

    def remake(self, archive: BackupArchive) -> None:
        """Make the records of *archive* from its bytes, replacing any that exist. Raises like `of`."""
        with WatchedRecords(self.records) as writer:
            for _ in self._inspected(archive, writer.write):
                pass
            writer.publish(archive.digests.sha256)

    def _passing(self, archive: BackupArchive) -> Iterator[MemberRecord]:
        passed: deque[MemberRecord] = deque()
        for _ in self._inspected(archive, passed.extend):
            while passed:
                yield passed.popleft()

    def _inspected(self, archive: BackupArchive, recorder: Recorder) -> Iterator[None]:
        """Inspect *archive*, yielding after each piece and at the end."""
        # an error of the inspection is only meaningful for bytes that are known to be those received
        with self.read(archive, sums_first=True) as reader, self.inspector.start(recorder) as inspection:
            for block in reader:
                for at in range(0, len(block), _FED_BYTES):
                    inspection.feed(block[at : at + _FED_BYTES])
                    yield
            inspection.finish()
            yield
