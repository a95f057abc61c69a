"""
Judging a new archive by those before it.

What is suspicious stands in the marks of the archive, so that it survives the loss of the catalog. It is judged before
it is published, and published with its marks: whatever is seen was judged, also after a crash.
"""

from __future__ import annotations

from collections.abc import Sequence
from contextlib import suppress
from datetime import timedelta

from attrs import frozen

from ...archives.archive import BackupArchive, Kind, Lineage
from ...errors.archives import RecordsMissing
from ...errors.content import MemberUnreadable
from ...errors.restoring import TreeTooLarge
from ...identity.archive_id import BackupType
from ...ports.catalog import Catalog
from ...ports.members import MemberRecords
from ...ports.notifier import Notifier
from ...ports.system import Clock
from ...profiles.rules import Rules
from ...retention.arrival import Arrival, arrival_of
from ...retention.name_changes import NameChanges, name_changes
from ...retention.suspicion import (
    COMPARED,
    FEW_FILES,
    RECENT,
    Arrived,
    Suspicion,
    counted_changes,
    is_worth_comparing,
    judge,
)
from ...tar.paths import MAX_HELD_BYTES
from ...tarkeep_error import TarkeepError

_NEWS = timedelta(days=1)
"""An archive with an older receipt was imported, or is pruned bytes that came again: it was no attack of today."""


@frozen
class JudgeArchive:
    """Compare a new archive with those before it."""

    catalog: Catalog
    records: MemberRecords
    rules: Rules
    clock: Clock
    notifier: Notifier

    def __call__(self, archive: BackupArchive) -> Suspicion | None:
        """
        What is suspicious about *archive*, whose members are on record and which may not be stored yet; None if
        nothing.

        What cannot be found out is not held against it: this never raises.

        Cost: a query for the last archives of the profile; and where many files changed, the names of two archives.
        """
        policy = self.rules.of(archive.id.profile).retention
        if policy is not None and not policy.brake:
            return None
        now = self.clock.now()
        if now - archive.received_at > _NEWS:
            return None
        try:
            suspicion = Suspicion(now, judge(self._arrived(archive)))
        except TarkeepError as error:
            self.notifier.unjudged(archive.id, str(error))
            return None
        if not suspicion.is_enough:
            return None
        self.notifier.suspicious(archive.id, str(suspicion))
        return suspicion

    def _arrived(self, archive: BackupArchive) -> Arrived:
        profile, here = archive.id.profile, arrival_of(archive)
        recent = self.catalog.arrivals(profile, limit=RECENT)
        alike = [one for one in recent if one.type is here.type]
        if len(alike) < COMPARED and len(recent) == RECENT:
            alike = self.catalog.arrivals(profile, here.type, limit=COMPARED)
        before = _followed(here, archive.lineage, recent)
        if before is None:
            return Arrived(here, alike[:COMPARED], recent)
        carried = _carried_since(before, alike) if here.type is BackupType.DIFF else 0
        return Arrived(here, alike[:COMPARED], recent, self._names(here, before), carried)

    def _names(self, here: Arrival, before: Arrival) -> NameChanges:
        counted = counted_changes(here, before)
        if is_worth_comparing(here, before):
            # records that are lost are not made again here: that would read whole archives
            with suppress(RecordsMissing, MemberUnreadable, TreeTooLarge):
                later = self.records.table(here.sha256, MAX_HELD_BYTES, before.sha256)
                return name_changes(counted, later, self.records.table(before.sha256, MAX_HELD_BYTES), FEW_FILES)
        return counted


def _followed(here: Arrival, lineage: Lineage, recent: Sequence[Arrival]) -> Arrival | None:
    """
    What to compare names with: the archive that *here* says it builds on, or else the last one of the same tree.

    None if there is none, or if *here* has no listings and is no FULL, and so does not know the whole tree.
    """
    if here.kind not in (Kind.INCREMENTAL, Kind.PLAIN) or not (here.is_incremental or here.type is BackupType.FULL):
        return None
    for one in recent:
        if one.left is not None and one.left == lineage.snapshot_before:
            return one
        if (one.type, one.name) == lineage.parent:
            return one
    roots = frozenset(here.roots)
    types = (BackupType.FULL,) if here.type is BackupType.DIFF or not here.is_incremental else tuple(BackupType)
    return max(
        (
            one
            for one in recent
            if one.type in types
            and one.kind is here.kind
            and one.placed_at <= here.placed_at
            and frozenset(one.roots) == roots
        ),
        key=lambda one: one.placed_at,
        default=None,
    )


def _carried_since(base: Arrival, alike: Sequence[Arrival]) -> int:
    """How many files the last DIFF carried, if it was made since *base*."""
    return next((one.carried for one in alike if one.received_at > base.received_at), 0)
