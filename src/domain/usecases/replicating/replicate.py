"""
Copying what another server has and this one has not, and healing what is damaged here.

The rules. Only what is missing comes, and only as it would come from anybody: whole, checked against its SHA-256, by
the receive of every other archive. Nothing here is removed, replaced or renamed, whatever the other server lists, lacks
or says: the one exception is an archive that is known to be damaged here, whose own SHA-256 is what must arrive. What
this server's policy removed stays removed.

Its inventory is gone through page by page, in the order of receipts, and compared with the catalog a page at a time, so
that millions of archives take no memory, and a run that was cut off finds what it had.
"""

from __future__ import annotations

from collections.abc import Iterator
from datetime import UTC, datetime, timedelta

from attrs import define, field, frozen

from ...access.audit import HOST, AuditEntry
from ...access.tokens import matches
from ...archives.archive import ArchiveState, BackupArchive, Offer
from ...archives.inventory import InventoryEntry
from ...errors.archives import NameConflict
from ...errors.capacity import InsufficientStorage, QuotaExceeded
from ...errors.client import ServerUnreachable
from ...errors.content import UploadInterrupted
from ...identity.archive_id import BackupType
from ...identity.digests import DeclaredDigests
from ...jobs.job import GoOn, JobReport
from ...ports.access import AuditLog
from ...ports.catalog import Catalog
from ...ports.system import Clock, Turns
from ...ports.upkeep.peers import OpenPeer, Peer, PeerPage
from ...tarkeep_error import TarkeepError
from ...text.counted import counted
from ...text.times import rfc3339
from ..receiving.outcome import ReceiveOutcome
from ..receiving.receive import ReceiveArchive
from ..restoring.snapshots import KeepSnapshot
from .account import CopyAccount
from .arriving import Perseverance
from .sources import REPLICATE, PeerSource

MOST_PAGES_OF_A_MOMENT = 1000
"""After so many pages without a later receipt, a list is taken to have no end."""

MOST_SILENCES = 3
"""After so many archives in a row for which the other server gave no answer, all else waits for the next run."""

WRONG_CLOCK = timedelta(minutes=5)


@frozen
class ReplicateArchives:
    """Copy every archive that the other server has and this one lacks, and heal the damaged ones that it has whole."""

    source: PeerSource
    open_peer: OpenPeer
    catalog: Catalog
    receive: ReceiveArchive
    keep_snapshot: KeepSnapshot
    clock: Clock
    audit: AuditLog
    patience: Perseverance
    turns: Turns

    def __call__(self, go_on: GoOn) -> JobReport:
        """
        Go through all profiles that the token may list and that are to be copied.

        Raises:
            InvalidSetting: the settings name the other server in a way that cannot be used.
            ServerUnreachable, Unauthorized, Refused: it does not say which profiles it has.
        """
        with self.turns.take(REPLICATE):
            address = self.source.take()
        if address is None:
            return JobReport("no other server is named to copy from", {}, did_something=False)
        with self.open_peer(address) as peer:
            run = _Run(self, peer, go_on, CopyAccount(peer.shown_url))
            listed = self.patience(peer.profiles, go_on)
            wanted = [profile for profile in listed if matches(profile, address.profiles)]
            if listed and not wanted:
                run.account.problems.add(f"none of its {counted(len(listed), 'profile')} is one that is to be copied")
            for profile in wanted:
                if not run.goes_on():
                    break
                run.copy_profile(profile)
            return run.account.report(is_stopped=run.is_stopped)


@define
class _Run:
    _uses: ReplicateArchives
    _peer: Peer
    _go_on: GoOn
    account: CopyAccount
    is_stopped: bool = False
    _is_over: bool = False
    _silences: int = 0
    _is_full: bool = False
    _without_snapshot: dict[BackupType, set[str]] = field(factory=dict)
    """The names of the profile that is being copied that have no snapshot file here, of the types that were asked."""

    def goes_on(self) -> bool:
        self.is_stopped = self.is_stopped or not self._go_on()
        return not (self.is_stopped or self._is_over)

    def copy_profile(self, profile: str) -> None:
        """Go through the archives of *profile*; what goes wrong with one does not keep the others."""
        self._is_full, self._without_snapshot = False, {}
        cursor, newest, still = None, _LONG_AGO, 0
        while self.goes_on():
            page = self._page(profile, cursor)
            if page is None:
                return
            for problem in page.problems:
                self.account.problems.add(problem, profile)
            self.account.seen += len(page.archives)
            for theirs, ours in self._compared(profile, page):
                if not self.goes_on():
                    return
                self._make_equal(theirs, ours)
                if self._is_full:
                    return
            if page.next_cursor is None:
                return
            last = max((archive.received_at for archive in page.archives), default=newest)
            still = 0 if last > newest else still + 1
            if still > MOST_PAGES_OF_A_MOMENT or any(archive.received_at < newest for archive in page.archives):
                self.account.problems.add("its list of archives is not in order, or does not end", profile)
                return
            cursor, newest = page.next_cursor, last

    def _page(self, profile: str, cursor: str | None) -> PeerPage | None:
        try:
            page = self._uses.patience(lambda: self._peer.page(profile, cursor), self.goes_on)
        except TarkeepError as error:
            if not self.is_stopped:
                self.account.problems.add(f"its archives could not be listed: {error}", profile)
                self._is_over = isinstance(error, ServerUnreachable)
            return None
        return page

    def _compared(self, profile: str, page: PeerPage) -> Iterator[tuple[BackupArchive, InventoryEntry | None]]:
        """What of *page* is not here as it is there, with what is here; conflicts are told, and left out."""
        here: dict[tuple[BackupType, str], InventoryEntry] = {}
        gone: dict[tuple[BackupType, str], InventoryEntry] = {}
        for type in BackupType:
            names = [archive.id.name for archive in page.archives if archive.id.type is type]
            if names:
                for found, entries in (
                    (here, self._uses.catalog.look_up(profile, type, names)),
                    (gone, self._uses.catalog.removed(profile, type, names)),
                ):
                    found.update({(type, entry.name): entry for entry in entries})
        for theirs in page.archives:
            key = (theirs.id.type, theirs.id.name)
            ours, removed = here.get(key), gone.get(key)
            known = ours or removed
            if known is not None and known.sha256 != theirs.digests.sha256:
                was = "is" if removed is None else "was, until the policy removed it,"
                self.account.differing.add(
                    f"{theirs.id.label} {was} {_short(known.sha256)} here and {_short(theirs.digests.sha256)} on "
                    f"{self._peer.shown_url}; nothing was changed",
                    theirs.id.profile,
                )
            elif ours is None and removed is not None:
                self.account.pruned += 1
            elif ours is None or ours.is_damaged or self._lacks_snapshot(theirs):
                yield theirs, ours

    def _lacks_snapshot(self, theirs: BackupArchive) -> bool:
        if not theirs.has_snapshot:
            return False
        type = theirs.id.type
        if type not in self._without_snapshot:
            self._without_snapshot[type] = self._uses.catalog.names_without_snapshot(theirs.id.profile, type)
        return theirs.id.name in self._without_snapshot[type]

    def _make_equal(self, theirs: BackupArchive, ours: InventoryEntry | None) -> None:
        try:
            if ours is None or ours.is_damaged:
                if theirs.state is ArchiveState.DAMAGED:
                    here = "is not here" if ours is None else "is damaged here, too"
                    text = f"{theirs.id.label} is damaged there, and {here}"
                    self.account.problems.add(text, theirs.id.profile)
                    return
                self._receive(theirs)
            if theirs.has_snapshot and (ours is None or self._lacks_snapshot(theirs)):
                blocks = self._uses.patience.snapshot_of(theirs, self._peer, self.goes_on)
                self.account.snapshots += self._uses.keep_snapshot(theirs.id, blocks)
        except UploadInterrupted:
            return
        except NameConflict as error:  # it came here meanwhile, from somebody else
            self.account.differing.add(f"{theirs.id.label}: {error}", theirs.id.profile)
        except TarkeepError as error:
            if self.is_stopped:
                return
            self.account.problems.add(f"{theirs.id.label}: {error}", theirs.id.profile)
            self._silences = self._silences + 1 if isinstance(error, ServerUnreachable) else 0
            self._is_over = isinstance(error, InsufficientStorage) or self._silences >= MOST_SILENCES
            self._is_full = isinstance(error, QuotaExceeded)
        else:
            self._silences = 0

    def _receive(self, theirs: BackupArchive) -> None:
        self._uses.receive.admission.room(theirs.size_bytes)
        offer = Offer(
            theirs.id,
            DeclaredDigests(sha256=theirs.digests.sha256),
            theirs.taken_at,
            theirs.received_at,
            theirs.lineage,
            theirs.notes,
            is_copy=True,
        )
        blocks = self._uses.patience.bytes_of(theirs, self._peer, self.goes_on)
        received = self._uses.receive(offer, blocks, theirs.size_bytes)
        if received.outcome is ReceiveOutcome.REPAIRED:
            self.account.healed += 1
        elif received.outcome is ReceiveOutcome.NEW:
            self.account.copied += 1
            self.account.copied_bytes += theirs.size_bytes
            if theirs.received_at > received.archive.received_at + WRONG_CLOCK:
                self.account.problems.add(
                    f"{theirs.id.label} was received at {rfc3339(theirs.received_at)} there, which is not yet; it "
                    "counts as received now, and one of the clocks is wrong",
                    theirs.id.profile,
                )
        self._enter(received.archive, received.outcome)

    def _enter(self, archive: BackupArchive, outcome: ReceiveOutcome) -> None:
        result = f"{outcome.value}: copied from {self._peer.shown_url}"
        entry = AuditEntry(self._uses.clock.now(), HOST, "", str(archive.id), archive.digests.sha256, result)
        try:
            self._uses.audit.append(entry)
        except TarkeepError as error:  # it is stored all the same
            text = f"{archive.id.label} is not in the audit log: {error}"
            self.account.problems.add(text, archive.id.profile)


_LONG_AGO = datetime.min.replace(tzinfo=UTC)


def _short(sha256: str | None) -> str:
    return "unknown bytes" if sha256 is None else f"SHA-256 {sha256[:16]}"
