"""
Rebuilding the catalog from the store.

The store is the truth: each archive's side-car holds everything known of it. A side-car that is missing, because a
person copied the archive there, or that was changed since it was written, is made anew from the bytes and from what the
catalog still knows. A rebuild that checks reads all bytes as well, and believes only digests that agree with them.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import suppress

from attrs import define, evolve, field, frozen

from ...archives import sidecar
from ...archives.archive import ArchiveState, BackupArchive
from ...errors.archives import AlreadyPublished, ArchiveCorrupt, ArchiveNotFound, InvalidSidecar
from ...errors.capacity import BackendUnavailable
from ...errors.settings import CatalogStaysDamaged
from ...identity.archive_id import ArchiveId, BackupType
from ...identity.digests import Digests
from ...ports.catalog import Catalog
from ...ports.inspection import Hasher
from ...ports.members import MemberRecords
from ...ports.store import ArchiveStore, StoredArchive
from ..reading.mend_sidecar import MendSidecar, agree
from ..restoring.snapshots import snapshot_digest
from ..retention.trash import archive_in
from .proven_before import Recalled, RecallProofs


@define
class RebuildReport:
    """
    What a rebuild entered, and what the operator should look at.

    *damaged* are archives that differ from their record (entered as damaged). *described* are archives without any
    earlier description, *mended* those whose side-car was wrong; each with how it was described. *wrong_snapshots* are
    archives whose snapshot file is not the one that the dump left behind (entered as if without one). *bad_records* are
    archives whose records of members were damaged (dropped, and made anew when needed). *left_out* are archives without
    a credible description, with the reason. *fewer* lists the profiles and types that had more archives in the catalog
    before, with both numbers. *recalled* is what was taken from the evidence. A rebuild that checks also reports
    *otherwise*, the archives that the catalog described differently, and *unsound*, whether the catalog disagreed with
    itself.
    """

    entered: int = 0
    damaged: list[ArchiveId] = field(factory=list)
    described: list[tuple[ArchiveId, str]] = field(factory=list)
    mended: list[tuple[ArchiveId, str]] = field(factory=list)
    wrong_snapshots: list[ArchiveId] = field(factory=list)
    bad_records: list[ArchiveId] = field(factory=list)
    left_out: list[tuple[ArchiveId, str]] = field(factory=list)
    fewer: list[tuple[str, BackupType, int, int]] = field(factory=list)
    recalled: Recalled = field(factory=Recalled)
    otherwise: list[ArchiveId] = field(factory=list)
    unsound: bool = False

    @property
    def is_good(self) -> bool:
        """Whether the rebuild found no problem."""
        return not (
            self.damaged
            or self.mended
            or self.wrong_snapshots
            or self.bad_records
            or self.left_out
            or self.fewer
            or self.otherwise
            or self.unsound
            or self.recalled.broken
        )


class _Doubtful(Exception):
    """A side-car has to be repaired first."""


@frozen
class RebuildCatalog:
    """Replace the whole catalog by what the store holds."""

    store: ArchiveStore
    catalog: Catalog
    hasher: Hasher
    mend: MendSidecar
    records: MemberRecords
    recall: RecallProofs

    def __call__(self, *, check: bool = False) -> RebuildReport:
        """With *check*, compare every archive's bytes with its side-car, and the side-car with the catalog."""
        report = RebuildReport()
        before = self._counts()
        if check:
            report.unsound = not self.catalog.is_sound()
            self._mend_all(report, check=True)
        try:
            self._replace(report, leaving_out=check)
        except _Doubtful:  # raised before anything is replaced: the catalog may still know what the side-car said
            self._mend_all(report, check=False)
            report.damaged.clear()
            report.wrong_snapshots.clear()
            self._replace(report, leaving_out=True)
        if report.unsound and not self.catalog.is_sound():
            raise CatalogStaysDamaged
        report.recalled = self.recall()
        after = self._counts()
        report.fewer = [(*at, had, after.get(at, 0)) for at, had in before.items() if after.get(at, 0) < had]
        return report

    def _counts(self) -> dict[tuple[str, BackupType], int]:
        """The archives by profile and type that the catalog claims to have; empty if its sums are not credible."""
        if not self.catalog.adds_up():
            return {}
        return {(row.profile, row.type): row.archives for row in self.catalog.totals()}

    def _replace(self, report: RebuildReport, *, leaving_out: bool) -> None:
        report.entered = self.catalog.replace(self._archives(report, leaving_out=leaving_out))

    def _archives(self, report: RebuildReport, *, leaving_out: bool) -> Iterator[BackupArchive]:
        for stored in self.store.scan():
            try:
                archive = described(stored)
            except InvalidSidecar:
                if not leaving_out:
                    raise _Doubtful from None
                continue  # mending was tried and failed; the reason is in the report
            if archive.state is ArchiveState.DAMAGED:
                report.damaged.append(stored.id)
            yield self._with_snapshot(archive, stored, report) if stored.has_snapshot else archive
        for trashed in self.store.trashed():  # of an archive in both places the first one counts
            removed = archive_in(trashed)
            if removed is not None:
                yield removed

    def _mend_all(self, report: RebuildReport, *, check: bool) -> None:
        for stored in self.store.scan():
            try:
                archive = described(stored)
            except InvalidSidecar:
                self._mend(stored, report)
            else:
                if check:
                    self._check(archive, stored, report)

    def _mend(self, stored: StoredArchive, report: RebuildReport) -> None:
        try:
            mended = self.mend(stored)
        except (InvalidSidecar, AlreadyPublished, ArchiveNotFound) as error:
            report.left_out.append((stored.id, str(error)))
        else:
            (report.described if mended.is_new else report.mended).append((stored.id, mended.how))

    def _check(self, archive: BackupArchive, stored: StoredArchive, report: RebuildReport) -> None:
        """Compare the bytes of *archive* with its side-car, and the side-car with the catalog; check its records."""
        if not self.records.is_whole(archive.digests.sha256):
            self.records.remove(archive.digests.sha256)
            report.bad_records.append(archive.id)
        found = self._digests(archive)
        if found is not None and found != archive.digests and agree(found, archive.digests):
            self._mend(stored, report)
            return
        state = ArchiveState.STORED if found == archive.digests else ArchiveState.DAMAGED
        if state is not archive.state and archive.size_bytes == stored.size_bytes:
            self.store.annotate(archive.id, sidecar.encode(evolve(archive, state=state)), stored.sidecar)
        with suppress(ArchiveNotFound):  # then this rebuild enters it
            if not self._is_known_as(archive):
                report.otherwise.append(archive.id)

    def _is_known_as(self, archive: BackupArchive) -> bool:
        try:
            return is_the_same(self.catalog.find(archive.id), archive)
        except BackendUnavailable:  # the catalog's entry cannot be read
            return False

    def _digests(self, archive: BackupArchive) -> Digests | None:
        """The digests of the stored bytes, None if they cannot all be read."""
        try:
            with self.store.read(archive.id) as reader, self.hasher.start() as running:
                for block in reader:
                    running.update(block)
                return running.finish()
        except (ArchiveCorrupt, ArchiveNotFound):
            return None

    def _with_snapshot(self, archive: BackupArchive, stored: StoredArchive, report: RebuildReport) -> BackupArchive:
        """*archive* with its snapshot file taken into account; its side-car is updated to match."""
        try:
            digest = snapshot_digest(self.store, stored.id, self.hasher)
        except ArchiveCorrupt:
            digest = ""
        if archive.lineage.snapshot_after is None and digest:
            described = evolve(archive, lineage=evolve(archive.lineage, snapshot_after=digest))
            self.store.annotate(stored.id, sidecar.encode(described), stored.sidecar)
            return evolve(described, has_snapshot=True)
        if archive.lineage.snapshot_after == digest:
            return evolve(archive, has_snapshot=True)
        # a file that is not the one the dump left behind is useless, and says nothing of the chain
        report.wrong_snapshots.append(stored.id)
        return archive


def described(stored: StoredArchive) -> BackupArchive:
    """
    The archive that the side-car of *stored* describes, marked as damaged if its length differs.

    Raises:
        InvalidSidecar: the side-car is missing, not credible, or describes another archive.
    """
    if stored.sidecar is None:
        raise InvalidSidecar("the file is missing")
    archive = sidecar.decode(stored.sidecar)
    if archive.id != stored.id:
        raise InvalidSidecar(f"it describes {archive.id}")
    return archive if archive.size_bytes == stored.size_bytes else evolve(archive, state=ArchiveState.DAMAGED)


def is_the_same(entry: BackupArchive, archive: BackupArchive) -> bool:
    """Whether an *entry* of the catalog agrees with a side-car, apart from what every rebuild determines anew."""
    left = archive.lineage.snapshot_after or entry.lineage.snapshot_after
    said = evolve(archive, lineage=evolve(archive.lineage, snapshot_after=left))
    return evolve(entry, state=said.state, has_snapshot=said.has_snapshot) == said
