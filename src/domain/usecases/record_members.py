"""
The members of a stored archive: from the records made when it arrived, or from its bytes where these are gone.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Iterator, Sequence
from contextlib import suppress
from typing import TypeVar

from attrs import frozen

from ..archives import BackupArchive
from ..errors import ArchiveCorrupt, RecordsMissing
from ..footprints import Footprint, footprint_of
from ..members import MemberRecord
from ..names import Names, tables
from ..ports import Hasher, Inspector, MemberRecords, Recorder
from ..uploads import ChecksumAlgorithm
from .fetch import ReadArchive

_T = TypeVar("_T")
_FED_BYTES = (
    16 << 10
)  # of an archive at once where its records are not kept: no more than a thousand times as much comes


@frozen
class RecordMembers:
    """
    The records of an archive's members.

    *inspector* looks at the bytes whatever the settings say of archives that arrive. Two callers that miss the same
    records both make them.
    """

    records: MemberRecords
    read: ReadArchive
    hasher: Hasher
    inspector: Inspector

    def __call__(
        self, archive: BackupArchive, *, directories_only: bool = False, start: int = 0
    ) -> Iterator[MemberRecord]:
        """
        The records from the position *start* on, in the order of the tar; of directories only, where that is enough.

        Raises:
            ArchiveCorrupt: at the call, where the archive had to be read and is not what was received.
            RejectedContent, ExpandsTooFar: likewise, it is what was received, but no tar that can be looked into.
        """

        def kept() -> Iterator[MemberRecord]:
            return self.records.read(archive.digests.sha256, directories_only=directories_only, start=start)

        def passing(record: MemberRecord) -> bool:
            return record.at >= start and (record.is_directory or not directories_only)

        return self._found(archive, kept, passing)

    def at(self, archive: BackupArchive, positions: Sequence[int]) -> Iterator[MemberRecord]:
        """The records at *positions*, which ascend. Raises like calling."""
        wanted = set(positions)
        return self._found(
            archive, lambda: self.records.at(archive.digests.sha256, positions), lambda record: record.at in wanted
        )

    def names(self, archive: BackupArchive) -> Iterator[Names]:
        """
        What the members are called, in the order of the tar. Raises like calling, and:

        Raises:
            MemberUnreadable: while they are given, at a member whose headers are not.
        """
        return self._kept(archive, lambda: self.records.names(archive.digests.sha256)) or tables(self._passing(archive))

    def footprint(self, archive: BackupArchive) -> Footprint:
        """Where tar goes when it extracts *archive*. Raises like calling."""
        return self._kept(archive, lambda: self.records.footprint(archive.digests.sha256)) or footprint_of(
            self._passing(archive)
        )

    def _found(
        self,
        archive: BackupArchive,
        kept: Callable[[], Iterator[MemberRecord]],
        is_wanted: Callable[[MemberRecord], bool],
    ) -> Iterator[MemberRecord]:
        return self._kept(archive, kept) or filter(is_wanted, self._passing(archive))

    def _kept(self, archive: BackupArchive, read: Callable[[], _T]) -> _T | None:
        """What *read* finds, with records made first if there are none; None where these cannot be kept."""
        with suppress(RecordsMissing):
            return read()
        self.remake(archive)
        with suppress(RecordsMissing):  # perhaps because the disk is full
            return read()
        return None

    def remake(self, archive: BackupArchive) -> None:
        """Make the records of *archive* from its bytes, in place of those that may be there. Raises like calling."""
        with self.records.begin() as writer:
            for _ in self._inspected(archive, writer.write):
                pass
            writer.publish(archive.digests.sha256)

    def _passing(self, archive: BackupArchive) -> Iterator[MemberRecord]:
        passed: deque[MemberRecord] = deque()
        for _ in self._inspected(archive, passed.append):
            while passed:
                yield passed.popleft()

    def _inspected(self, archive: BackupArchive, recorder: Recorder) -> Iterator[None]:
        """Have *archive* inspected, stopping after each piece and at the end."""
        digest = self.hasher.checksum(ChecksumAlgorithm.SHA256)
        with self.read(archive) as reader, self.inspector.start(recorder) as inspection:
            for block in reader:
                digest.update(block)
                for at in range(0, len(block), _FED_BYTES):
                    inspection.feed(block[at : at + _FED_BYTES])
                    yield
            # First, since of other bytes it is not worth saying what is wrong with them.
            if digest.digest().hex() != archive.digests.sha256:
                raise ArchiveCorrupt(archive.id)
            inspection.finish()
            yield
