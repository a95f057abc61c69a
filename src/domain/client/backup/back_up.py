"""
Backing up a directory: a dump that continues from what the server has, stored with the snapshot file it leaves.

Nothing of the chain is kept here. What counts is the server's copy of the snapshot file, so a dump that was not stored
never becomes the base of another, and a machine installed anew goes on where the old one stopped.
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
"""Dumps that are made so soon after each other are told apart by their times."""


@frozen
class PlannedDump:
    """
    The dump to make: as what it will be stored, on top of what (None: it is full), and why it is of this type.

    *before* is tar's snapshot file as *base* left it. *taken_at* is said to the server, which may take the time in a
    name for that of another zone. *passed_over* is why it does not continue from what the server named first.
    *not_whole* is what is wrong with it where *base* was of other files.
    """

    id: ArchiveId
    base: Base | None
    reason: str
    taken_at: datetime
    before: bytes | None = field(default=None, repr=False)
    passed_over: SnapshotUnusable | None = None
    not_whole: str | None = None

    def notes(self, end: DumpEnd) -> tuple[str, ...]:
        """What people should know of the archive when its dump ended as *end*, as many lines as it may have."""
        return fitting([*([] if self.not_whole is None else [self.not_whole]), *map(str, end.unreadable)])


@frozen
class BackedUp:
    """
    What was stored, and how the dump of it ended; None of one that an earlier run made.

    *snapshot_error* is why the server did not get the snapshot file, so that the next dump continues from the one
    before this; *not_whole* is that of the `PlannedDump`.
    """

    archive: BackupArchive
    end: DumpEnd | None
    snapshot_error: TarkeepError | None = None
    not_whole: str | None = None

    @property
    def messages(self) -> tuple[str, ...]:
        """What tar said, errors first."""
        return self.end.messages if self.end is not None else ()

    @property
    def other_messages(self) -> tuple[str, ...]:
        """What tar said of all but the files that it could not read."""
        return self.messages[self.end.unreadable_messages :] if self.end is not None else ()

    @property
    def is_clean(self) -> bool:
        """False where files changed while they were read."""
        return self.end is None or self.end.is_clean

    @property
    def unreadable(self) -> tuple[Unreadable, ...]:
        """What is not in the archive, because it could not be read."""
        return self.end.unreadable if self.end is not None else ()

    @property
    def changes(self) -> Changes | None:
        """What the dump found, where that is known."""
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
            SnapshotUnusable: it is damaged or lost, or what comes is not what the server names.
            ServerUnreachable, Refused, Unauthorized: the server, after trying again where that may help.
        """
        if base is None:
            return None
        try:
            snapshot = self.retrying(lambda: self.chains.snapshot(base.id), on_retry=notice)
        except RemoteNotFound as error:
            raise SnapshotUnusable(str(base.id), "it is damaged or lost there") from error
        checksum = self.hasher.checksum(ChecksumAlgorithm.SHA256)
        checksum.update(snapshot)
        if checksum.digest().hex() != base.snapshot_sha256:
            raise SnapshotUnusable(str(base.id), "it did not arrive as the server names it")
        return snapshot


@frozen
class PlanDump:
    """Decide what the next dump of a profile is, and get what it continues from."""

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
        The dump of *source* to make at *now* (aware), of the type that is *wanted*, or (None) that *rule* wants.

        It is full where the server has nothing that it could continue from. Where a snapshot file turns out to be
        damaged or lost, it is planned once more, since a server does not name one again of which it knows that; and it
        is full where the next one is of no use either. By the rule it is full, too, where *source* is not what was
        dumped before (see `selection`), and where tar forgot files in that. What was dumped before is not known of
        older clients, and does not count then.

        Raises:
            ServerUnreachable, Refused, Unauthorized: the server, after trying again where that may help.
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
        reason = "no snapshot file that it could continue from is of use"
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
        ):  # names have seconds, and no dump may come before the one it builds on
            now = newest.replace(microsecond=0) + timedelta(seconds=1)
        if wanted is None:
            choice = choose_type(rule, points, now)
            type, reason = choice.type, choice.reason
        else:
            type, reason = wanted, "as told"
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
        except RemoteNotFound:  # nothing of this profile is stored yet
            return []


def dump_name(type: BackupType, now: datetime) -> str:
    """What a dump begun at *now* is called: ``inc_2025-11-21_09-07-19.tar.gz``, in UTC."""
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
        What became of it, once the archive is stored.

        Raises:
            DumpFailed, DumpTooLarge: tar did not end well, or makes too much; nothing is stored.
            ParentMoved: another dump was stored since it was planned; nothing is stored.
            All that `PushStream` raises: nothing is stored.
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
