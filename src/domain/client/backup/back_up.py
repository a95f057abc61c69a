"""
Backing up a directory: a dump that continues from what the server has, stored with the snapshot file it leaves.

This machine keeps nothing of the chain. The server's copy of the snapshot file counts, so a dump that was not stored
never becomes the base of another, and a reinstalled machine continues where the old one stopped.
"""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

from attrs import evolve, field, frozen

from ...archives.archive import BackupArchive, Lineage
from ...archives.notes import fitting
from ...errors.client import RemoteNotFound, SnapshotUnusable
from ...identity.archive_id import ArchiveId, BackupType
from ...ports.inspection import Hasher
from ...tarkeep_error import TarkeepError
from ...uploads import ChecksumAlgorithm
from ..ports.chains import Base, RemoteChains, StoredPoint
from ..ports.dumping import NOBODY, Changes, DumpEnd, Dumper, DumpSource, Making, Unreadable, Watch
from ..progress import Progress
from ..push.push_stream import PushStream
from ..retrying import Notice, Retrying
from ..selection import FORGOTTEN
from .dump_rule import DumpRule, choose_type
from .verdict import AskVerdict

AT_ONCE = timedelta(minutes=1)
"""Dumps within this time of each other get different seconds in their names."""


@frozen
class PlannedDump:
    """
    The dump to make: its identity, its *base* (None: it is full), and the reason for its type.

    *before* is tar's snapshot file as *base* left it. *taken_at* is declared to the server, which could otherwise read
    the time in a name in another time zone. *passed_over* says why the dump does not continue from the server's first
    choice. *not_whole* says what is wrong with the dump if *base* has other files.
    """

    id: ArchiveId
    base: Base | None
    reason: str
    taken_at: datetime
    before: bytes | None = field(default=None, repr=False)
    passed_over: SnapshotUnusable | None = None
    not_whole: str | None = None

    def notes(self, end: DumpEnd) -> tuple[str, ...]:
        """Notes for people about the archive after its dump ended as *end*, limited to what an archive may have."""
        return fitting([*([] if self.not_whole is None else [self.not_whole]), *map(str, end.unreadable)])


@frozen
class BackedUp:
    """
    The stored archive, and how its dump ended; *end* is None for a dump of an earlier run.

    *snapshot_error* says why the server did not get the snapshot file; then the next dump continues from an earlier
    one. *not_whole* is that of the `PlannedDump`.
    """

    archive: BackupArchive
    end: DumpEnd | None
    snapshot_error: TarkeepError | None = None
    not_whole: str | None = None

    @property
    def messages(self) -> tuple[str, ...]:
        """All messages of tar, errors first."""
        return self.end.messages if self.end is not None else ()

    @property
    def other_messages(self) -> tuple[str, ...]:
        """The messages of tar that are not about unreadable files."""
        return self.messages[self.end.unreadable_messages :] if self.end is not None else ()

    @property
    def is_clean(self) -> bool:
        """False if files changed while they were read."""
        return self.end is None or self.end.is_clean

    @property
    def unreadable(self) -> tuple[Unreadable, ...]:
        """The files that the archive lacks because they could not be read."""
        return self.end.unreadable if self.end is not None else ()

    @property
    def changes(self) -> Changes | None:
        """The changes that the dump found, if known."""
        return self.end.changes if self.end is not None else None


@frozen
class FetchSnapshot:
    """Get the snapshot file that a dump continues from."""

    chains: RemoteChains
    hasher: Hasher
    retrying: Retrying

    def __call__(self, base: Base | None, notice: Notice) -> bytes | None:
        """
        The snapshot file of *base*; None without one.

        Raises:
            SnapshotUnusable: the file is damaged or lost, or arrives with another digest than the server declares.
            ServerUnreachable, Refused, Unauthorized: from the server, after useful retries.
        """
        if base is None:
            return None
        try:
            snapshot = self.retrying(lambda: self.chains.snapshot(base.id), on_retry=notice)
        except RemoteNotFound as error:
            raise SnapshotUnusable(str(base.id), "it is damaged or lost on the server") from error
        checksum = self.hasher.checksum(ChecksumAlgorithm.SHA256)
        checksum.update(snapshot)
        if checksum.digest().hex() != base.snapshot_sha256:
            raise SnapshotUnusable(str(base.id), "it arrived with another digest than the server declares")
        return snapshot


@frozen
class PlanDump:
    """Decide the next dump of a profile, and get the snapshot file it continues from."""

    chains: RemoteChains
    fetch_snapshot: FetchSnapshot
    retrying: Retrying
    dumper: Dumper
    judge: AskVerdict

    def __call__(
        self,
        profile: str,
        source: DumpSource,
        wanted: BackupType | None,
        rule: DumpRule,
        now: datetime,
        notice: Notice,
    ) -> PlannedDump:
        """
        The dump of *source* to make at *now* (aware), of the type *wanted*, or (None) of the type that *rule* chooses.

        It is full if the server has nothing to continue from. If a snapshot file turns out to be damaged or lost, the
        dump is planned once more, because the server no longer offers that file; if the next file is unusable, too, the
        dump is full. Without *wanted* it is also full if *source* differs from the source of the last dump (see
        `selection`), or if tar forgot files in that dump. Dumps of older clients do not record their source, and then
        it is not compared.

        Raises:
            ServerUnreachable, Refused, Unauthorized: from the server, after useful retries.
            FolderUnusable: a file of patterns cannot be read.
        """
        planned = self._usable(profile, wanted, rule, now, notice)
        if planned.base is None or planned.before is None:
            return planned
        known = self.dumper.selection_of(planned.before)
        change = None if known is None else self.dumper.selection(source).change_since(known)
        if change is None and self.judge.lacks_files(planned.base.id, source, notice):
            change = FORGOTTEN
        if change is None:
            return planned
        since = planned.base.id.label
        if wanted is not None:
            return evolve(planned, not_whole=change.why_not_whole(since))
        full = self._planned(profile, BackupType.FULL, rule, now, notice)
        return evolve(full, reason=change.why_full(since), passed_over=planned.passed_over)

    def _usable(
        self, profile: str, wanted: BackupType | None, rule: DumpRule, now: datetime, notice: Notice
    ) -> PlannedDump:
        planned = self._planned(profile, wanted, rule, now, notice)
        try:
            return self._with_snapshot(planned, notice)
        except SnapshotUnusable as error:
            first = error
        again = evolve(self._planned(profile, wanted, rule, now, notice), passed_over=first)
        try:
            return self._with_snapshot(again, notice)
        except SnapshotUnusable as error:
            second = error
        reason = "no snapshot file that it could continue from is usable"
        full = self._planned(profile, BackupType.FULL, rule, now, notice)
        return evolve(full, reason=reason, passed_over=second)

    def _with_snapshot(self, planned: PlannedDump, notice: Notice) -> PlannedDump:
        return evolve(planned, before=self.fetch_snapshot(planned.base, notice))

    def _planned(
        self, profile: str, wanted: BackupType | None, rule: DumpRule, now: datetime, notice: Notice
    ) -> PlannedDump:
        now = now.astimezone(UTC).replace(microsecond=0)
        points = self.retrying(lambda: self._points(profile), on_retry=notice)
        newest = max((point.taken_at for point in points), default=None)
        if (
            newest is not None and now <= newest < now + AT_ONCE
        ):  # names have a resolution of seconds, and no dump may come before its base
            now = newest.replace(microsecond=0) + timedelta(seconds=1)
        if wanted is None:
            choice = choose_type(rule, points, now)
            type, reason = choice.type, choice.reason
        else:
            type, reason = wanted, "as requested"
        base = None
        if type is not BackupType.FULL:
            base = self.retrying(lambda: self.chains.base(profile, type), on_retry=notice)
            if base is None:
                type, reason = BackupType.FULL, f"the server has nothing that {_an(type)} could continue from"
        taken = {point.id for point in points}
        while (id := ArchiveId(profile, type, dump_name(type, now))) in taken:
            now += timedelta(seconds=1)
        return PlannedDump(id, base, reason, now)

    def _points(self, profile: str) -> list[StoredPoint]:
        try:
            return self.chains.points(profile)
        except RemoteNotFound:  # the profile has no stored archive yet
            return []


def dump_name(type: BackupType, now: datetime) -> str:
    """The name of a dump begun at *now*: ``inc_2025-11-21_09-07-19.tar.gz``, in UTC."""
    return f"{type.value.lower()}_{now.astimezone(UTC):%Y-%m-%d_%H-%M-%S}.tar.gz"


def _an(type: BackupType) -> str:
    return f"{'an' if type is BackupType.INC else 'a'} {type.value}"


@frozen
class BackUp:
    """Make a dump and store it, straight from tar to the server."""

    chains: RemoteChains
    making: Making
    push: PushStream
    retrying: Retrying

    def __call__(
        self, planned: PlannedDump, source: DumpSource, progress: Progress, notice: Notice, watch: Watch = NOBODY
    ) -> BackedUp:
        """
        Returns the result, once the archive is stored.

        Raises:
            DumpFailed, DumpTooLarge: tar failed, or the archive is too large; nothing is stored.
            ParentMoved: another dump was stored since this one was planned; nothing is stored.
            All errors of `PushStream`: nothing is stored.
        """
        base = planned.base
        lineage = Lineage() if base is None else Lineage((base.id.type, base.id.name), base.snapshot_sha256)
        with self.making.dumper.start(
            source, planned.before, watch.foresee, is_whole=planned.not_whole is None
        ) as dump:
            blocks = self.making.blocks(dump, watch)
            stored = self.push(
                planned.id,
                blocks,
                progress,
                notice,
                lineage,
                planned.taken_at,
                notes=lambda: planned.notes(dump.finish()),
            )
            end = dump.finish()
        error = None
        try:
            self.retrying(lambda: self.chains.put_snapshot(stored.id, end.snapshot), on_retry=notice)
        except TarkeepError as failed:
            error = failed
        return BackedUp(stored, end, error, planned.not_whole)
