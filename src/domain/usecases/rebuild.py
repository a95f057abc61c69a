"""
Recreating the catalog from the store.

The store is the truth: each archive's side-car says all there is to know. An archive without a side-car, put there by
hand perhaps, is read through once, and gets one.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import suppress

from attrs import define, evolve, field, frozen

from .. import sidecar
from ..archives import ArchiveId, ArchiveState, BackupArchive
from ..errors import AlreadyPublished, SidecarInvalid, TarkeepError
from ..ports import ArchiveStore, Catalog, Clock, Hasher, Inspector, StoredArchive
from ..rules import NO_RULES, RuleBook
from .snapshots import snapshot_digest


@define
class RebuildReport:
    """
    What a rebuild entered, and what needs an eye: archives whose length is not the recorded one (entered as damaged),
    archives described anew because they had no side-car, those whose snapshot file is not the one that the dump left
    behind (entered as if there were none), and those left out, with the reason.
    """

    entered: int = 0
    damaged: list[ArchiveId] = field(factory=list)
    described: list[ArchiveId] = field(factory=list)
    wrong_snapshots: list[ArchiveId] = field(factory=list)
    left_out: list[tuple[ArchiveId, str]] = field(factory=list)


@frozen
class RebuildCatalog:
    """Replace everything in the catalog by what the store holds."""

    store: ArchiveStore
    catalog: Catalog
    hasher: Hasher
    inspector: Inspector
    clock: Clock
    rules: RuleBook = NO_RULES

    def __call__(self) -> RebuildReport:
        report = RebuildReport()
        report.entered = self.catalog.replace(self._archives(report))
        return report

    def _archives(self, report: RebuildReport) -> Iterator[BackupArchive]:
        for stored in self.store.scan():
            try:
                yield self._archive(stored, report)
            except (SidecarInvalid, AlreadyPublished) as error:
                report.left_out.append((stored.id, str(error)))

    def _archive(self, stored: StoredArchive, report: RebuildReport) -> BackupArchive:
        if stored.sidecar is None:
            archive = self._describe(stored)
            self.store.annotate(stored.id, sidecar.encode(archive))
            report.described.append(stored.id)
            return archive
        archive = sidecar.decode(stored.sidecar)
        if archive.id != stored.id:
            raise SidecarInvalid(f"it describes {archive.id}")
        if archive.size_bytes != stored.size_bytes:
            report.damaged.append(stored.id)
            archive = evolve(archive, state=ArchiveState.DAMAGED)
        return self._with_snapshot(archive, stored, report) if stored.has_snapshot else archive

    def _with_snapshot(self, archive: BackupArchive, stored: StoredArchive, report: RebuildReport) -> BackupArchive:
        """*archive* as the snapshot file says that is kept with it, and the side-car from now on, too."""
        digest = snapshot_digest(self.store, stored.id, self.hasher)
        if archive.lineage.snapshot_after is None:
            archive = evolve(archive, lineage=evolve(archive.lineage, snapshot_after=digest))
            self.store.annotate(stored.id, sidecar.encode(archive), stored.sidecar)
        if archive.lineage.snapshot_after == digest:
            return evolve(archive, has_snapshot=True)
        # another file than the dump is known to have left behind is as good as none, and says nothing of the chain
        report.wrong_snapshots.append(stored.id)
        return archive

    def _describe(self, stored: StoredArchive) -> BackupArchive:
        contents = None
        with (
            self.store.read(stored.id) as reader,
            self.hasher.start() as digests,
            self.inspector.start() as inspection,
        ):
            readable = True
            for block in reader:
                digests.update(block)
                if readable:
                    try:
                        inspection.feed(block)
                    except TarkeepError:
                        readable = False
            if readable:
                with suppress(TarkeepError):
                    contents = inspection.finish()
            found = digests.finish()
        zone = self.rules.of(stored.id.profile).time_zone
        return BackupArchive.described(stored.id, stored.size_bytes, found, self.clock.now(), contents, zone=zone)
