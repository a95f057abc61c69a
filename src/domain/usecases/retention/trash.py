"""
The trash: what is in it, and removing its bytes for good.

The note of a removed archive stays for a while after its bytes, so that its name is known.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from datetime import datetime
from functools import cache, partial

from attrs import define, evolve, field, frozen

from ...access.on_record import COMES_AND_GOES, PURGED
from ...archives import sidecar
from ...archives.archive import ArchiveState, BackupArchive
from ...errors.archives import ArchiveNotFound, ArchiveProtected, InvalidSidecar
from ...evidence.facts import of_purge
from ...identity.archive_id import ArchiveId
from ...jobs.job import GoOn
from ...ports.access import AuditLog
from ...ports.catalog import Catalog
from ...ports.members import MemberRecords
from ...ports.store import ArchiveStore, Ballast, TrashedArchive
from ...ports.system import Clock, NameLocks
from ...ports.upkeep.evidence import EvidenceLog
from ...profiles.rules import Rules
from ...profiles.span import Span, Unit
from ...retention import trash_note
from ...retention.trash_note import TrashNote
from ...tarkeep_error import TarkeepError
from ...text.counted import counted
from ..access.put_on_record import put_on_record
from ..access.untold_removals import put_untold_removals_on_record
from .brake import stopping
from .despite_full_disk import despite_full_disk
from .protect import marks_in
from .watch_clock import WatchClock

TellPurge = Callable[[ArchiveId, bool], None]
"""Is told which archive is removed for good, and whether for the second time."""

_SETTLED_BY_THEN = Span(1, Unit.DAY)
"""How long ago a removal was put on record, if its run could do that: another one may be under way now."""

KNOWN_FOR = Span(400, Unit.DAY)
"""How long the name of an archive stays known after it was removed."""


def note_on(trashed: TrashedArchive) -> TrashNote | None:
    """The note of a removed archive; None if it is missing or damaged."""
    try:
        return None if trashed.note is None else trash_note.decode(trashed.note)
    except InvalidSidecar:
        return None


def archive_in(trashed: TrashedArchive) -> BackupArchive | None:
    """
    The archive in the trash, as its side-car or else its note describes it, in the state of one that was removed.

    None if neither is credible.
    """
    note = note_on(trashed)
    if trashed.sidecar is not None:
        try:
            found = sidecar.decode(trashed.sidecar)
        except InvalidSidecar:
            pass
        else:
            if found.id == trashed.id:
                return evolve(found, state=ArchiveState.TRASHED)
    if note is None or note.id != trashed.id:
        return None
    return BackupArchive(
        note.id, note.size_bytes, note.digests, note.received_at, note.taken_at, state=ArchiveState.TRASHED
    )


def is_removal(note: TrashNote, trashed: TrashedArchive, *, is_gone: bool) -> bool:
    """
    Whether *note* on *trashed* is of a removal that has come to its end: the archive *is_gone* from among the stored
    ones, or left the trash with all that belongs to it.
    """
    if note.purged_at is None:
        return is_gone
    return trashed.size_bytes is None and not trashed.has_remains


def is_in_trash(id: ArchiveId, store: ArchiveStore) -> bool:
    """
    Whether the bytes of *id* are in the trash, so that it can be brought back.

    Cost: one look at its note; at the whole trash if that is missing or damaged.
    """
    note = note_of(id, store)
    if note is not None:
        return note.purged_at is None
    return any(trashed.id == id and trashed.size_bytes is not None for trashed in store.trashed())


def finish_purge(id: ArchiveId, store: ArchiveStore, now: datetime) -> None:
    """
    Remove what a purge of *id* that was cut off left, so that the name is free. Without one nothing happens.

    Raises:
        ArchiveProtected: it was marked meanwhile.
    """
    note = store.note(id)
    if note is not None and trash_note.is_purged(note):
        store.purge(id, note, now)


def is_stored(id: ArchiveId, store: ArchiveStore) -> bool:
    """Whether *id* is among the stored archives."""
    try:
        store.stat(id)
    except ArchiveNotFound:
        return False
    return True


def note_of(id: ArchiveId, store: ArchiveStore) -> TrashNote | None:
    """The note on *id* in the trash; None without one, or if it is damaged."""
    raw = store.note(id)
    try:
        return None if raw is None else trash_note.decode(raw)
    except InvalidSidecar:
        return None


def purge_is_told(id: ArchiveId, audit: AuditLog) -> bool:
    """Whether the newest line about where *id* is says that its bytes were removed."""
    newest = audit.newest(str(id), (PURGED, *COMES_AND_GOES))
    return newest is not None and newest.result.startswith(PURGED)


def _removals_before(time: datetime, trashed: TrashedArchive) -> Iterator[TrashNote]:
    """The note on *trashed*, if it is of a removal that had come to its end by *time*."""
    note = note_on(trashed)
    if note is None or max(note.trashed_at, note.purged_at or note.trashed_at) > time:
        return
    if is_removal(note, trashed, is_gone=True):
        yield note


@frozen
class ListTrash:
    """Show what is in the trash, and which names are still known of what was in it."""

    store: ArchiveStore

    def __call__(self) -> Iterator[tuple[TrashedArchive, TrashNote | None]]:
        """Every removed archive in the order of `ArchiveId`, with its note; None if that is missing or damaged."""
        for trashed in self.store.trashed():
            yield trashed, note_on(trashed)


@define
class PurgeReport:
    """
    What a purge removed for good, what it had to leave, each with the reason, and how many names it forgot.

    *failed* has those with which something went wrong. *stopped* says why nothing was removed at all, if the clock is
    not trusted. *is_unfinished* says that it was told not to go on. *unrecorded*
    says why what was removed is not in the evidence; empty if it is.
    """

    stopped: str = ""
    purged: list[ArchiveId] = field(factory=list)
    left: list[tuple[ArchiveId, str]] = field(factory=list)
    failed: list[tuple[ArchiveId, str]] = field(factory=list)
    forgotten: int = 0
    is_unfinished: bool = False
    unrecorded: str = ""


@frozen
class PurgeTrash:
    """Remove the bytes of what was in the trash long enough, and forget names that were known long enough."""

    store: ArchiveStore
    catalog: Catalog
    records: MemberRecords
    rules: Rules
    clock: Clock
    watch_clock: WatchClock
    ballast: Ballast
    evidence: EvidenceLog
    names: NameLocks

    def __call__(self, go_on: GoOn = lambda: True, tell: TellPurge = lambda _purged, _again: None) -> PurgeReport:
        """
        Never sooner than the policy of the time of the removal said, nor than the present one says.

        What an earlier purge began is finished. What goes wrong with one archive does not keep the others. Before each
        *go_on* is asked. *tell* is called for each just before its bytes are removed, and whether it is removed again:
        an earlier purge of it that was cut off may have told it.

        Raises:
            BackendUnavailable: the trash or what was noted of the clock cannot be read.
        """
        now, report = self.clock.now(), PurgeReport(self.watch_clock().doubt)
        is_braked = cache(self._is_braked)  # by profile
        gone: list[tuple[ArchiveId, str]] = []
        before: list[TrashNote] = []
        if report.stopped:
            return report
        for trashed in self.store.trashed():
            before += _removals_before(_SETTLED_BY_THEN.before(now), trashed)
            if not go_on():
                report.is_unfinished = True
                break
            try:
                note = self._due(trashed, now, report)
                if note is None:
                    continue
                if is_braked(note.id.profile):
                    report.left.append((note.id, f"pruning {note.id.profile} is stopped by the brake"))
                elif self._purge(note, trashed, now, report, tell):
                    gone.append((note.id, note.digests.sha256))
            except TarkeepError as error:
                report.failed.append((trashed.id, str(error)))
        self._put_on_record(gone, before, report)
        self.ballast.keep()
        return report

    def _put_on_record(
        self, gone: Sequence[tuple[ArchiveId, str]], before: Sequence[TrashNote], report: PurgeReport
    ) -> None:
        what = counted(len(gone), "archive was", "archives were") + " removed for good"
        try:
            if gone:
                put_on_record(of_purge(self.clock.now(), gone), self.evidence, what)
            put_untold_removals_on_record(before, self.evidence, self.clock.now())
        except TarkeepError as error:
            report.unrecorded = str(error)

    def _due(self, trashed: TrashedArchive, now: datetime, report: PurgeReport) -> TrashNote | None:
        """The note of an archive whose bytes are to go; a name that was known long enough is forgotten."""
        note = note_on(trashed)
        if note is None:
            if trashed.size_bytes is not None:
                report.left.append((trashed.id, "its note is missing or cannot be read"))
        elif note.purged_at is not None:
            if trashed.size_bytes is not None or trashed.has_remains:
                return note  # a purge of it was cut off
            if KNOWN_FOR.after(note.trashed_at) <= now:
                report.forgotten += self._forget(trashed)
        elif self.rules.of(note.id.profile).retention is None:
            if note.keep_until <= now:
                report.left.append((note.id, "the profile has no retention policy any more"))
        elif self._is_due(note, now):
            return note
        return None

    def _despite_full_disk(self, work: Callable[[], None]) -> None:
        despite_full_disk(self.ballast, "removing an archive from the trash", work)

    def _is_braked(self, profile: str) -> bool:
        policy = self.rules.of(profile).retention
        return policy is not None and policy.brake and bool(stopping(marks_in(profile, self.store)))

    def _is_due(self, note: TrashNote, now: datetime) -> bool:
        policy = self.rules.of(note.id.profile).retention
        return policy is not None and max(note.keep_until, policy.trash_for.after(note.trashed_at)) <= now

    def _forget(self, trashed: TrashedArchive) -> bool:
        """Forget the name of *trashed*; returns whether it was still as it was seen."""
        with self.names.hold_profile(trashed.id.profile):
            if self.store.note(trashed.id) != trashed.note:
                return False
            self.store.forget(trashed.id)
            self._despite_full_disk(partial(self.catalog.forget, trashed.id))
        return True

    def _purge(
        self, note: TrashNote, trashed: TrashedArchive, now: datetime, report: PurgeReport, tell: TellPurge
    ) -> bool:
        """Remove the bytes of *trashed*, which are due by *note*; returns whether that was done."""
        raw, untold = trash_note.encode(note.purged(now)), [note.id]

        def begin() -> None:
            while untold:  # it may be tried twice
                tell(untold.pop(), note.purged_at is not None)

        with self.names.hold_profile(note.id.profile):
            if self.store.note(note.id) != trashed.note:  # it came back meanwhile, and may have been removed anew
                return False
            try:
                self._despite_full_disk(lambda: self.store.purge(note.id, raw, now, begin))
            except ArchiveProtected as error:
                report.left.append((note.id, "; ".join(error.protections)))
                return False
            except ArchiveNotFound:
                return False
        self.records.remove(note.digests.sha256)
        report.purged.append(note.id)
        return True
