"""
Any sequence of what happens to a profile that is pruned, with crashes in between, against a model of a few dicts.

The model knows what was acknowledged and where it must be: among the stored archives, in the trash, or gone, because
its time in the trash was over. After each step the store and the catalog must agree with it, byte for byte; and each
prune leaves every point that it keeps as it was, byte for byte of its ``restore.tar``.

A crash comes before or after any call of the store or of the catalog, also during the start after a crash. What the
step was to do may then be done or not, for each archive alone; nothing else may have changed.

The brake is on from the moment that something suspicious is acknowledged, or that marks cannot be read, until somebody
releases it, or mends the marks; meanwhile nothing goes, neither to the trash nor out of it. Jobs prune and purge as
well, and are told to stop between any two archives.
"""

from __future__ import annotations

import os
import tempfile
from collections import Counter
from collections.abc import Callable, Iterable
from contextlib import ExitStack, nullcontext, suppress
from datetime import datetime, timedelta
from enum import Enum
from itertools import repeat
from pathlib import Path
from typing import TypeVar

import pytest
from attrs import define, field, frozen
from hypothesis import HealthCheck, settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, precondition, rule

from tarkeep.adapters.memory.audit_log import MemoryAuditLog
from tarkeep.adapters.memory.catalog import MemoryCatalog
from tarkeep.adapters.memory.upkeep.clock_notes import MemoryClockNotes
from tarkeep.adapters.memory.upkeep.evidence_log import MemoryEvidenceLog
from tarkeep.adapters.sql.catalog import SqlCatalog
from tarkeep.domain.access.audit import AuditEntry, entry_of
from tarkeep.domain.access.on_record import BACK, MOVED, PURGED, OnRecord
from tarkeep.domain.archives.archive import BackupArchive, Lineage, Offer
from tarkeep.domain.chains.points import RestorePoint
from tarkeep.domain.errors.archives import NameConflict, ProfileNotFound
from tarkeep.domain.errors.retention import LockEarlier, MarksUnreadable, PlanChanged, PrunePaused
from tarkeep.domain.evidence.entry import EvidenceKind
from tarkeep.domain.evidence.entry import entry_of as evidence_of
from tarkeep.domain.evidence.facts import gone_in
from tarkeep.domain.identity.archive_id import ArchiveId, BackupType
from tarkeep.domain.jobs.job import GoOn, JobWork
from tarkeep.domain.ports.catalog import Catalog
from tarkeep.domain.profiles.retention_policy import Every, KeepRule, RetentionPolicy
from tarkeep.domain.profiles.rules import CurrentRules, ProfileRules, RuleBook
from tarkeep.domain.profiles.span import Span
from tarkeep.domain.retention.decisions import PauseKind, PrunePlan, PruneVerdict
from tarkeep.domain.retention.suspicion import FEW_FILES, Suspicion
from tarkeep.domain.usecases.retention.trash import purge_is_told
from tarkeep.entrypoints.wiring.tarkeep import Tarkeep
from tests.support.archives import make_targz
from tests.support.assembled import Crash, Fuse, assembled
from tests.support.catalogs import all_archives
from tests.support.clocks import FixedClock
from tests.support.made_dumps import NAMES, DumpedFolder
from tests.support.store_doors import FilesystemDoor, MemoryDoor

EXAMPLES = int(os.environ.get("TARKEEP_TEST_PRUNED", "40"))

FULL, INC, DIFF = BackupType.FULL, BackupType.INC, BackupType.DIFF
PROFILE = "laptop"
JUNK = b"\0"
KNOWN_FOR = timedelta(days=400)

T = TypeVar("T")


@frozen
class Night:
    """What becomes of one of two machines until it sends a dump; *is_proven*: it states the lineage."""

    which: int
    type: BackupType
    written: list[bytes]
    removed: list[bytes]
    is_proven: bool
    after: timedelta


spans = st.sampled_from(["0d", "0d", "0d", "12h", "2d", "7d"]).map(Span.parse)
policies = st.builds(
    RetentionPolicy,
    st.lists(
        st.builds(KeepRule, st.sampled_from(Every), st.sampled_from([1, 1, 2, Span.parse("4d")])),
        min_size=1,
        max_size=2,
    ).map(tuple),
    prefer_full=st.sampled_from([None, Every.DAY, Every.WEEK]),
    ages_when_silent=st.booleans(),
    minimum_points=st.integers(0, 1),
    minimum_fulls=st.integers(0, 1),
    minimum_age=st.sampled_from(["0d", "0d", "2d"]).map(Span.parse),
    keep_broken=spans,
    trash_for=spans,
    lock_for=st.sampled_from(["0d", "0d", "0d", "2d"]).map(Span.parse),
    largest_share=st.just(1.0),
    brake=st.sampled_from([True, True, True, False]),
)
nights = st.builds(
    Night,
    st.sampled_from([0, 0, 1]),
    st.sampled_from([FULL, FULL, INC, INC, INC, DIFF]),
    st.lists(st.sampled_from(NAMES), max_size=2),
    st.lists(st.sampled_from(NAMES), max_size=1),
    st.booleans(),
    st.sampled_from([1, 12, 24, 24, 24, 24 * 6]).map(lambda hours: timedelta(hours=hours)),
)
crashes = st.none() | st.integers(1, 12) | st.integers(20, 70)
"""At which step of the calls to store and catalog the process dies; None: it does not."""
steps = st.none() | st.integers(0, 4)
"""After how many steps a job is told to stop; None: it is not."""
some = st.integers(0, 50)


class Place(Enum):
    """Where an archive is."""

    HERE = "here"
    TRASH = "in the trash"
    GONE = "gone"  # its name is known


@define
class Kept:
    """An archive that was acknowledged."""

    content: bytes
    received_at: datetime
    lineage: Lineage
    place: Place = Place.HERE
    trashed_at: datetime | None = None
    keep_until: datetime | None = None
    holds: dict[str, datetime | None] = field(factory=dict)
    locked_until: datetime | None = None
    has_bad_marks: bool = False
    has_bad_note: bool = False
    is_suspicious: bool = False
    restored: bytes | None = None  # its point when it was removed

    def is_protected(self, now: datetime) -> bool:
        held = any(until is None or until > now for until in self.holds.values())
        return held or self.has_bad_marks or (self.locked_until is not None and self.locked_until > now)

    @property
    def brakes(self) -> bool:
        return self.place is not Place.GONE and (self.is_suspicious or self.has_bad_marks)


class RetentionMachine(RuleBasedStateMachine):
    """A subclass says how store and catalog are made."""

    def __init__(self) -> None:
        super().__init__()
        self.cleanup = ExitStack()
        self.clock = FixedClock()
        self.client_time = self.clock.now()  # what the clock of the server would show if it were right
        self.clock_notes = MemoryClockNotes()
        self.audit = MemoryAuditLog()
        self.evidence = MemoryEvidenceLog()
        self.lines: Counter[tuple[ArchiveId, str]] = Counter()  # how often each archive went to the trash, and for good
        self.policies = CurrentRules(RuleBook())
        self.folders = [DumpedFolder("first"), DumpedFolder("second")]
        self.kept: dict[ArchiveId, Kept] = {}
        self.number = self.attacks = 0

    door: MemoryDoor | FilesystemDoor
    catalog: Catalog
    tarkeep: Tarkeep

    def make_door(self) -> MemoryDoor | FilesystemDoor:
        raise NotImplementedError

    def open_catalog(self, *, is_lost: bool = False) -> Catalog:
        raise NotImplementedError

    def in_trash(self, id: ArchiveId) -> bytes | None:
        """The bytes of *id* in the trash, by the back door."""
        raise NotImplementedError

    def damage_beside(self, id: ArchiveId, what: str, content: bytes | None) -> None:
        """Overwrite the marks, the note or the side-car of *id*; None removes them."""
        raise NotImplementedError

    @initialize(policy=policies, before=st.lists(nights, min_size=2, max_size=12))
    def start(self, policy: RetentionPolicy, before: list[Night]) -> None:
        self.policies.book = RuleBook(((PROFILE, ProfileRules(retention=policy)),))
        self.door = self.make_door()
        self.cleanup.callback(lambda: self.door.close())
        self.catalog = self.open_catalog()
        self.cleanup.callback(lambda: self.catalog.close())
        self.begin_process(Fuse())
        self.tarkeep.watch_clock()
        for night in before:
            self.receive(night, None)

    def teardown(self) -> None:
        self.cleanup.close()

    # -- crashes -------------------------------------------------------------------------------------------------------

    def survives(self, at: int | None, call: Callable[[Tarkeep], T]) -> T | None:
        """The result of *call*; None if the process died in it, and the next one has started."""
        self.fuse.steps, self.fuse.blows_at = 0, at
        try:
            return call(self.tarkeep)
        except Crash:
            self.restart(None if at is None else at // 2)
            return None
        finally:
            self.fuse.blows_at = None

    def in_the_end(self, crash: int | None, call: Callable[[Tarkeep], T]) -> None:
        """Do *call*, and if the process dies in it, again: its client does not know the outcome."""
        if self.survives(crash, call) is None:
            call(self.tarkeep)

    def restart(self, dies_at: int | None = None, *, is_lost: bool = False) -> None:
        """The process ends as by SIGKILL, and the next one starts; it dies at *dies_at* itself, and starts again."""
        self.door.crash()
        self.catalog.close()
        self.catalog = self.open_catalog(is_lost=is_lost)
        self.begin_process(Fuse(blows_at=dies_at))
        try:
            self.tarkeep.recover()
            self.tarkeep.settle_trash()
            self.tarkeep.adopt_archives()
            self.tarkeep.watch_clock()
        except Crash:
            self.restart()
        self.fuse.blows_at = None

    def begin_process(self, fuse: Fuse) -> None:
        self.fuse = fuse
        store, catalog = fuse.around(self.door.store), fuse.around(self.catalog)
        self.tarkeep = assembled(
            store,
            catalog,
            self.clock,
            rules=self.policies,
            clock_notes=self.clock_notes,
            audit=fuse.around(self.audit),
            evidence=fuse.around(self.evidence),
        )

    def enter(self, id: ArchiveId, sha256: str | None, result: str) -> None:
        """A line in the audit log, as the entry points add it."""
        self.tarkeep.audit.append(AuditEntry(self.clock.now(), None, "", str(id), sha256, result))

    @invariant()
    def each_removal_has_one_line(self) -> None:
        """Whatever the process died in, the audit log says of each archive how often it was removed."""
        said = [entry for line in self.audit._lines if (entry := entry_of(line)) is not None]
        for word in (MOVED, PURGED):
            found = Counter(entry.what for entry in said if entry.result.startswith(word))
            assert found == Counter(
                {str(id): times for (id, one), times in self.lines.items() if one == word and times}
            )

    @invariant()
    def each_removal_is_in_the_evidence_once(self) -> None:
        """A run that died did not say what it had removed; the next process does. A purge ends first."""
        said = [entry for _, line in self.evidence._lines if (entry := evidence_of(line)) is not None]
        for kind, word in ((EvidenceKind.PRUNED, MOVED), (EvidenceKind.PURGED, PURGED)):
            found = Counter(id for entry in said if entry.kind is kind for id, _ in gone_in(entry))
            wanted = Counter({id: times for (id, one), times in self.lines.items() if one == word and times})
            left = {trashed.id for trashed in self.door.store.trashed() if trashed.has_remains}
            assert {
                id: wanted[id] - found[id] for id in found | wanted if found[id] != wanted[id] and id not in left
            } == {}

    # -- what the model knows ------------------------------------------------------------------------------------------

    def those(self, *places: Place) -> list[ArchiveId]:
        return [id for id, kept in self.kept.items() if kept.place in places]

    def pick(self, which: int, *places: Place) -> ArchiveId:
        found = self.those(*places)
        return found[which % len(found)]

    def has(*places: Place) -> Callable[[RetentionMachine], bool]:
        return lambda self: bool(self.those(*places))

    def where(self, id: ArchiveId) -> Place | None:
        """Where *id* really is."""
        here = id in set(self.door.store.ids())
        trashed = self.in_trash(id) is not None
        assert not (here and trashed), id
        if here:
            return Place.HERE
        if trashed:
            return Place.TRASH
        return Place.GONE if self.door.store.note(id) is not None else None

    def restored(self) -> dict[ArchiveId, bytes]:
        """restore.tar of each point that restores."""
        return {point.archive.id: self.restore(point) for point in self.points() if point.is_restorable}

    def restore(self, point: RestorePoint) -> bytes:
        return b"".join(self.tarkeep.restore_tar(self.tarkeep.open_point(PROFILE, point.archive.id)))

    def points(self) -> Iterable[RestorePoint]:
        try:
            return self.tarkeep.load_points(PROFILE).all()
        except ProfileNotFound:
            return ()

    # -- archives come -------------------------------------------------------------------------------------------------

    @rule(night=nights, crash=crashes)
    def receive(self, night: Night, crash: int | None) -> None:
        """A machine dumps its folder, and sends the archive."""
        self.pass_time(night.after)
        folder = self.folders[night.which]
        for name in night.written:
            folder.write(name, self.client_time - timedelta(seconds=20))
        for name in night.removed:
            folder.remove(name, self.client_time - timedelta(seconds=10))
        type = night.type if folder.can(night.type) else FULL
        content, lineage = folder.dump(type, self.client_time)
        self.number += 1
        id = ArchiveId(PROFILE, type, f"dump{self.number:03}.tar.gz")
        offer = Offer(id, lineage=lineage if night.is_proven else Lineage())
        self.send(crash, offer, content)
        self.is_new(id, Kept(content, self.clock.now(), offer.lineage))

    @precondition(lambda self: self.attacks < 2)
    @rule(days=st.none() | st.sampled_from([0, 8]), after=steps, by_job=st.booleans(), crash=crashes)
    def lose_most_files(self, days: int | None, after: int | None, *, by_job: bool, crash: int | None) -> None:
        """
        A machine whose files vanish sends an INC that is suspicious, at whatever call the server dies meanwhile.

        With *days* the profile is pruned before it, and the trash emptied so many days after it.
        """
        self.attacks += 1
        if days is not None and self.those(Place.HERE):
            self.prune(None)
        folder = DumpedFolder(f"attacked {self.attacks}")
        for number in range(FEW_FILES + 20):
            folder.write(b"%d" % number, self.client_time - timedelta(seconds=20))
        for type in (FULL, INC):
            self.pass_time(timedelta(hours=1))
            content, lineage = folder.dump(type, self.client_time)
            self.number += 1
            id = ArchiveId(PROFILE, type, f"dump{self.number:03}.tar.gz")
            self.send(crash if type is INC else None, Offer(id, lineage=lineage), content)
            self.is_new(id, Kept(content, self.clock.now(), lineage))
            for name in list(folder.files):
                folder.remove(name, self.client_time + timedelta(seconds=10))
        assert self.kept[id].is_suspicious == self.policy.brake
        if days is not None:
            self.purge(days, after, by_job=by_job, crash=None)

    def is_new(self, id: ArchiveId, kept: Kept) -> None:
        """An archive was acknowledged for the first time."""
        self.kept[id] = kept
        self.is_acknowledged(kept)
        kept.is_suspicious = self.shown().get(id) is not None

    def shown(self) -> dict[ArchiveId, Suspicion | None]:
        """What stops pruning, by what the server says."""
        return self.tarkeep.show_brake(PROFILE) if self.those(Place.HERE) else {}

    @property
    def policy(self) -> RetentionPolicy:
        policy = self.policies.of(PROFILE).retention
        assert policy is not None
        return policy

    @property
    def is_braked(self) -> bool:
        return self.policy.brake and any(kept.brakes for kept in self.kept.values())

    @precondition(has(Place.HERE, Place.TRASH, Place.GONE))
    @rule(place=st.sampled_from(Place), which=some, crash=crashes)
    def send_the_same_bytes(self, place: Place, which: int, crash: int | None) -> None:
        """They are stored with their first receipt, wherever they were."""
        id = self.pick(which, *([place] if self.those(place) else Place))
        kept = self.kept[id]
        offer = Offer(id, lineage=kept.lineage)
        was = kept.place
        self.send(crash, offer, kept.content)
        if was is Place.GONE:
            kept.has_bad_marks, kept.locked_until = False, None
            kept.holds.clear()
        self.is_back(kept)
        if was is Place.GONE:
            self.is_new(id, kept)
        else:
            self.is_acknowledged(kept)

    @precondition(has(Place.HERE, Place.TRASH, Place.GONE))
    @rule(which=some, crash=crashes)
    def send_other_bytes(self, which: int, crash: int | None) -> None:
        """A conflict, unless the bytes of that name are gone for good."""
        id = self.pick(which, *Place)
        self.number += 1
        content = make_targz({"other": b"%d" % self.number})
        if self.kept[id].place is not Place.GONE:
            with pytest.raises(NameConflict):
                self.in_the_end(crash, lambda tarkeep: tarkeep.receive(Offer(id), [content]))
            return
        self.send(crash, Offer(id), content)
        self.is_new(id, Kept(content, self.clock.now(), Lineage()))

    def send(self, crash: int | None, offer: Offer, content: bytes) -> None:
        """An archive is received, in the end; what it builds on comes back from the trash with it."""
        trashed = self.those(Place.TRASH)
        received = self.survives(crash, lambda tarkeep: tarkeep.receive(offer, [content]))
        is_certain = received is not None
        if received is None:
            received = self.tarkeep.receive(offer, [content])
        for one in trashed:
            is_back = self.where(one) is Place.HERE
            assert is_back or one not in received.brought_back
            assert not is_back or not is_certain or one in (*received.brought_back, offer.id)
            if is_back:
                self.is_back(self.kept[one])
        known = [one.lineage for one in self.kept.values() if one.place is not Place.GONE]
        if offer.lineage.snapshot_after is not None and _reaches_a_full(offer.lineage, known):
            point = next(point for point in self.points() if point.archive.id == offer.id)
            assert point.is_restorable

    def is_acknowledged(self, kept: Kept) -> None:
        """An archive is locked as the policy says when its sender is answered, now and again."""
        if self.policy.lock_for.count and not kept.has_bad_marks:
            until = self.policy.lock_for.after(kept.received_at)
            kept.locked_until = until if kept.locked_until is None else max(until, kept.locked_until)

    def is_back(self, kept: Kept) -> None:
        if kept.place is Place.TRASH:
            id = next(id for id, one in self.kept.items() if one is kept)
            self.audit.append(AuditEntry(self.clock.now(), None, "", str(id), None, BACK))
        kept.place, kept.has_bad_note, kept.restored = Place.HERE, False, None
        kept.trashed_at = kept.keep_until = None

    # -- archives go ---------------------------------------------------------------------------------------------------

    @precondition(has(Place.HERE))
    @rule(policy=policies, crash=crashes)
    def prune_by_another_policy(self, policy: RetentionPolicy, crash: int | None) -> None:
        self.policies.book = RuleBook(((PROFILE, ProfileRules(retention=policy)),))
        self.prune(crash)

    @precondition(has(Place.HERE))
    @rule(crash=crashes)
    def prune(self, crash: int | None) -> None:
        """Kept points restore as before; what goes is in the trash; a second time nothing goes."""
        now, before, plan = self.clock.now(), self.restored(), self.planned()
        if plan.verdict is PruneVerdict.PAUSED:
            with pytest.raises(PrunePaused):
                self.in_the_end(crash, lambda tarkeep: tarkeep.apply_prune(PROFILE, plan.digest, is_approved=True))
            self.is_as_before(before)
            return
        record = OnRecord(enter=self.enter)
        done = self.survives(crash, lambda tarkeep: tarkeep.apply_prune(PROFILE, plan.digest, record=record))

        assert done is None or done == plan
        for one in plan.removed:
            self.went(one.archive.id, now, is_certain=done is not None, restored=before.get(one.archive.id))
        self.is_as_before(before)
        if done is not None:
            self.prune_again(plan)

    def planned(self) -> PrunePlan:
        """The plan, which removes nothing that a mark keeps, and is paused as long as it must be."""
        plan, now = self.tarkeep.plan_prune(PROFILE), self.clock.now()
        paths = {point.archive.id: point.path for point in self.points()}
        gone = {one.archive.id for one in plan.removed}
        held = {id for id in self.those(Place.HERE) if self.kept[id].is_protected(now)}
        assert not gone & held.union(*(paths.get(id, []) for id in held))
        kinds = {pause.kind for pause in plan.pauses}
        assert kinds == {
            *([PauseKind.BRAKE] if self.is_braked else []),
            *([PauseKind.CLOCK] if self.clock_notes.note.doubt else []),
        }
        assert (plan.verdict is PruneVerdict.PAUSED) == bool(plan.removed and kinds)
        return plan

    def is_as_before(self, before: dict[ArchiveId, bytes]) -> None:
        """What is left restores as *before*. Somebody looks at the clock."""
        after = self.restored()
        for id in before:
            if self.kept[id].place is Place.HERE:
                assert after.get(id) == before[id], f"{id.label} restores otherwise than before"
        self.tarkeep.accept_clock()

    @precondition(has(Place.HERE))
    @rule(policy=st.none() | policies, stops=st.tuples(steps, steps), days=st.sampled_from([0, 8]), crash=crashes)
    def let_the_jobs_work(
        self, policy: RetentionPolicy | None, stops: tuple[int | None, int | None], days: int, crash: int | None
    ) -> None:
        """The trash is emptied *days* after the pruning; each job is told to stop after so many steps."""
        if policy is not None:
            self.policies.book = RuleBook(((PROFILE, ProfileRules(retention=policy)),))
        self.let_the_job_prune(stops[0], crash)
        self.purge(days, stops[1], by_job=True, crash=None)

    def let_the_job_prune(self, after: int | None, crash: int | None) -> None:
        """It carries out the same plan, or a beginning of it if it is told to stop, and says so."""
        now, before, plan = self.clock.now(), self.restored(), self.planned()
        is_in_doubt = bool(self.clock_notes.note.doubt)
        report = self.survives(crash, lambda tarkeep: job(tarkeep, "prune")(steps_left(after)))
        wanted = () if plan.verdict is PruneVerdict.PAUSED else plan.removed
        for one in wanted:
            self.went(one.archive.id, now, is_certain=False, restored=before.get(one.archive.id))
        went = [one for one in wanted if self.kept[one.archive.id].place is Place.TRASH]
        assert went == list(wanted[: len(went)])
        self.is_as_before(before)
        if report is None:
            return
        assert (report.counts["removed"], report.problems) == (len(went), ())
        if is_in_doubt:
            assert (went, report.is_stopped, len(report.waits)) == ([], False, 1)
            return
        # it is asked before the profile, before each archive, and at the end
        asked = len(wanted) + 2 if after is None else after
        assert len(went) == min(len(wanted), max(0, asked - 1))
        assert report.is_stopped == (asked < len(wanted) + 2)
        assert bool(report.waits) == (plan.verdict is PruneVerdict.PAUSED and asked > 0)

    def went(self, id: ArchiveId, now: datetime, *, is_certain: bool, restored: bytes | None) -> None:
        kept, found = self.kept[id], self.where(id)
        assert found is Place.TRASH or (found is Place.HERE and not is_certain), (id, found)
        if found is Place.TRASH:
            self.lines[id, MOVED] += 1
            kept.place, kept.restored = found, restored
            kept.trashed_at, kept.keep_until = now, self.policy.trash_for.after(now)

    def prune_again(self, plan: PrunePlan) -> None:
        if self.those(Place.HERE):
            with suppress(PlanChanged):
                assert self.tarkeep.apply_prune(PROFILE, plan.digest).removed == ()
            assert self.tarkeep.plan_prune(PROFILE).verdict is PruneVerdict.NOTHING

    @precondition(has(Place.TRASH, Place.GONE))
    @rule(days=st.sampled_from([0, 1, 8]), after=steps, by_job=st.booleans(), crash=crashes)
    def purge(self, days: int, after: int | None, *, by_job: bool, crash: int | None) -> None:
        """Bytes go when their time is over by the policy of the removal and the present one; none if it is braked."""
        self.pass_time(timedelta(days=days))
        now, is_braked, was_in_doubt = self.clock.now(), self.is_braked, bool(self.clock_notes.note.doubt)
        trashed, told = len(self.those(Place.TRASH)), None
        go_on = steps_left(after)

        def tell(id: ArchiveId, again: bool) -> None:
            if not (again and purge_is_told(id, self.audit)):
                self.enter(id, None, PURGED)

        if by_job:
            told = self.survives(crash, lambda tarkeep: job(tarkeep, "purge")(go_on))
            is_whole = told is not None and not told.is_stopped and not was_in_doubt
        else:
            report = self.survives(crash, lambda tarkeep: tarkeep.purge_trash(go_on, tell))
            is_whole = report is not None and not report.is_unfinished and not report.stopped
        for id, kept in list(self.kept.items()):
            if kept.place is Place.TRASH:
                may_go = self.is_due(kept, now) and not is_braked and not was_in_doubt
                found = self.where(id)
                assert found is (Place.GONE if may_go else Place.TRASH) or (not is_whole and found is Place.TRASH)
                assert found is not None
                self.lines[id, PURGED] += found is Place.GONE
                kept.place = found
            elif kept.place is Place.GONE and kept.trashed_at is not None and kept.trashed_at + KNOWN_FOR <= now:
                found = self.where(id)
                assert found is None or (not is_whole and found is Place.GONE)
                assert found is not None or not was_in_doubt
                if found is None:
                    del self.kept[id]
        purged = trashed - len(self.those(Place.TRASH))
        assert after is None or purged <= after
        if told is not None:
            assert told.counts["purged"] == purged
        self.tarkeep.accept_clock()

    def is_due(self, kept: Kept, now: datetime) -> bool:
        assert kept.keep_until is not None
        assert kept.trashed_at is not None
        is_over = max(kept.keep_until, self.policy.trash_for.after(kept.trashed_at)) <= now
        return is_over and not kept.has_bad_note and not kept.is_protected(now)

    @precondition(has(Place.TRASH))
    @rule(which=some, crash=crashes)
    def undelete(self, which: int, crash: int | None) -> None:
        """An archive comes back, with all in the trash that it builds on."""
        id = self.pick(which, Place.TRASH)
        back = self.survives(crash, lambda tarkeep: tarkeep.undelete(id))
        if back is None:
            for one in self.those(Place.TRASH):
                if self.where(one) is Place.HERE:
                    self.is_back(self.kept[one])
                    assert not self.is_junk(one)
            return
        assert id in back
        assert not any(map(self.is_junk, back))
        restored, is_proven = self.kept[id].restored, self.kept[id].lineage.snapshot_after is not None
        for one in back:
            assert self.kept[one].place is Place.TRASH
            is_proven &= self.kept[one].lineage.snapshot_after is not None
            self.is_back(self.kept[one])
        if restored is not None and is_proven:
            point = next(point for point in self.points() if point.archive.id == id)
            are_here = [one.lineage for one in self.kept.values() if one.place is Place.HERE]
            if _reaches_a_full(self.kept[id].lineage, are_here):
                assert point.is_restorable
                assert self.restore(point) == restored

    # -- marks ---------------------------------------------------------------------------------------------------------

    @precondition(has(Place.HERE))
    @rule(kind=st.sampled_from(["hold", "release", "lock"]), which=some, days=st.integers(1, 20), crash=crashes)
    def mark(self, kind: str, which: int, days: int, crash: int | None) -> None:
        """Nobody can add to marks that cannot be read."""
        id = self.pick(which, Place.HERE)
        if self.kept[id].has_bad_marks:
            with pytest.raises(MarksUnreadable):
                self.tarkeep.make_hold(id, "a", "why not")
        elif kind == "lock":
            self.lock(id, days, crash)
        elif kind == "hold":
            self.hold(id, days, crash)
        elif self.kept[id].holds:
            self.release(id, crash)

    def hold(self, id: ArchiveId, days: int, crash: int | None) -> None:
        name, until = "ab"[days % 2], None if days % 3 else self.clock.now() + timedelta(days=days)
        if name in self.kept[id].holds:  # one in force is never replaced
            return
        self.in_the_end(crash, lambda tarkeep: tarkeep.make_hold(id, name, "why not", until))
        self.kept[id].holds[name] = until

    def release(self, id: ArchiveId, crash: int | None) -> None:
        holds = self.kept[id].holds
        name = next(iter(holds))
        done = self.survives(crash, lambda tarkeep: tarkeep.release_hold(id, name))
        if done is not None or self.tarkeep.read_marks(id).hold(name) is None:
            del holds[name]

    def lock(self, id: ArchiveId, days: int, crash: int | None) -> None:
        """A lock only grows."""
        kept, until = self.kept[id], self.clock.now() + timedelta(days=days)
        is_earlier = kept.locked_until is not None and kept.locked_until > until
        with pytest.raises(LockEarlier) if is_earlier else nullcontext():
            self.in_the_end(crash, lambda tarkeep: tarkeep.lock_archive(id, until))
        if not is_earlier:
            kept.locked_until = until

    @precondition(lambda self: any(kept.brakes for kept in self.kept.values()))
    @rule(which=some, crash=crashes)
    def release_the_brake(self, which: int, crash: int | None) -> None:
        """For an archive and those before it, but for those whose marks cannot be read."""
        to = self.pick(which, Place.HERE, Place.TRASH)
        until = self.kept[to].received_at
        self.in_the_end(crash, lambda tarkeep: tarkeep.release_brake(to))
        for kept in self.kept.values():
            if kept.received_at <= until and not kept.has_bad_marks:
                kept.is_suspicious = False

    @precondition(lambda self: any(kept.has_bad_marks and kept.brakes for kept in self.kept.values()))
    @rule()
    def mend_marks(self) -> None:
        """Somebody removes the file of marks that cannot be read; what they said is lost."""
        for id, kept in self.kept.items():
            if kept.has_bad_marks and kept.brakes:
                self.damage_beside(id, "marks", None)
                kept.has_bad_marks, kept.locked_until, kept.is_suspicious = False, None, False
                kept.holds.clear()

    # -- the world -----------------------------------------------------------------------------------------------------

    def pass_time(self, duration: timedelta) -> None:
        self.client_time += duration
        self.clock.advance(duration)
        was_in_doubt = bool(self.clock_notes.note.doubt)
        assert bool(self.tarkeep.watch_clock().doubt) == was_in_doubt

    @rule(hours=st.sampled_from([1, 24, 24 * 3, 24 * 8, 24 * 30, 24 * 401]))
    def time_passes(self, hours: int) -> None:
        self.pass_time(timedelta(hours=hours))

    @rule(hours=st.sampled_from([-24 * 20, -30, -1, 2, 24 * 40]))
    def the_clock_jumps(self, hours: int) -> None:
        """That of the server alone; then nothing goes until somebody says that it is right, whatever happens."""
        self.clock.jump(timedelta(hours=hours))
        assert self.tarkeep.watch_clock().doubt

    @rule(is_lost=st.booleans(), crash=crashes)
    def begin_anew(self, is_lost: bool, crash: int | None) -> None:
        """The catalog that a start makes of nothing is the one before."""
        if is_lost and any(map(self.is_junk, self.those(Place.HERE))):
            self.rebuild(check=False)  # of an archive with neither catalog nor side-car too little is left
        before, points = self.catalog_content(), self.restored()
        self.restart(crash, is_lost=is_lost)
        if is_lost:
            self.forget_what_sidecars_said()
        assert self.catalog_content() == before
        assert self.restored() == points

    @rule(check=st.booleans())
    def rebuild(self, check: bool) -> None:
        """Side-cars that are junk are made anew; in the trash that waits until the archive comes back."""
        bad = set(filter(self.is_junk, self.those(Place.HERE)))
        before, points = self.catalog_content(), self.restored()
        report = self.tarkeep.rebuild(check=check)
        assert {id for id, _ in (*report.mended, *report.described)} == bad
        assert report.is_good or bad
        assert not any(map(self.is_junk, bad))
        self.forget_what_sidecars_said()
        assert self.catalog_content() == before
        assert self.restored() == points

    def forget_what_sidecars_said(self) -> None:
        """Of an archive in the trash whose side-car is junk, a new catalog knows what the note says: no lineage."""
        for id in self.those(Place.TRASH):
            if self.is_junk(id):
                self.kept[id].lineage, self.kept[id].restored = Lineage(), None

    @precondition(lambda self: any(not self.kept[id].has_bad_note for id in self.those(Place.HERE, Place.TRASH)))
    @rule(which=some)
    def damage_sidecar(self, which: int) -> None:
        """It is overwritten with junk."""
        fine = [id for id in self.those(Place.HERE, Place.TRASH) if not self.kept[id].has_bad_note]
        id = fine[which % len(fine)]
        self.damage_beside(id, "sidecar", JUNK)

    def is_junk(self, id: ArchiveId) -> bool:
        """Whether its side-car is."""
        if self.kept[id].place is Place.TRASH:
            return any(one.id == id and one.sidecar == JUNK for one in self.door.store.trashed())
        return self.door.store.stat(id).sidecar == JUNK

    @precondition(has(Place.HERE, Place.TRASH))
    @rule(which=some)
    def damage_marks(self, which: int) -> None:
        """Then it is held, and stops pruning."""
        id = self.pick(which, Place.HERE, Place.TRASH)
        self.damage_beside(id, "marks", JUNK)
        self.kept[id].has_bad_marks = True

    @precondition(lambda self: not all(map(self.is_junk, self.those(Place.TRASH))))
    @rule(which=some)
    def damage_note(self, which: int) -> None:
        """Then it stays in the trash until somebody brings it back."""
        fine = [id for id in self.those(Place.TRASH) if not self.is_junk(id)]
        id = fine[which % len(fine)]
        self.damage_beside(id, "note", JUNK)
        self.kept[id].has_bad_note = True

    def catalog_content(self) -> tuple[list[BackupArchive], list[BackupArchive], list[tuple[object, ...]]]:
        """What is listed, what is in the trash, and what a note says of the rest, which it has no room for."""
        here = sorted(all_archives(self.catalog), key=lambda archive: archive.id)
        removed = self.catalog.trashed()
        gone = [one for one in removed if self.in_trash(one.id) is None or self.is_junk(one.id)]
        trashed = [one for one in removed if one not in gone]
        return here, trashed, [(one.id, one.digests, one.size_bytes, one.received_at) for one in gone]

    # -- after every step ----------------------------------------------------------------------------------------------

    @invariant()
    def everything_is_where_it_belongs(self) -> None:
        if not hasattr(self, "tarkeep"):
            return
        here, trashed, gone = (set(self.those(place)) for place in Place)
        assert set(self.door.store.ids()) == here
        notes = {one.id: one.size_bytes for one in self.door.store.trashed()}
        assert {id for id, size in notes.items() if size is not None} == trashed
        assert {id for id, size in notes.items() if size is None} - here == gone
        for id in here:
            with self.door.store.read(id) as reader:
                assert b"".join(reader) == self.kept[id].content
        for id in trashed:
            assert self.in_trash(id) == self.kept[id].content

    @invariant()
    def the_catalog_says_so_with_the_first_receipts(self) -> None:
        if not hasattr(self, "tarkeep"):
            return
        listed = {archive.id: archive.received_at for archive in all_archives(self.catalog)}
        removed = {archive.id: archive.received_at for archive in self.catalog.trashed()}
        assert listed == {id: self.kept[id].received_at for id in self.those(Place.HERE)}
        assert removed == {id: self.kept[id].received_at for id in self.those(Place.TRASH, Place.GONE)}
        assert self.catalog.open_claims() == []

    @invariant()
    def marks_are_those_that_were_made(self) -> None:
        if not hasattr(self, "tarkeep"):
            return
        for id in self.those(Place.HERE):
            kept, marks = self.kept[id], self.tarkeep.read_marks(id)
            assert marks.is_unreadable == kept.has_bad_marks
            if not kept.has_bad_marks:
                assert (marks.suspicion is not None) == kept.is_suspicious
                assert {hold.id: hold.until for hold in marks.holds} == kept.holds
                assert marks.locked_until == kept.locked_until

    @invariant()
    def the_brake_is_on_until_somebody_has_looked(self) -> None:
        if not hasattr(self, "tarkeep") or not self.those(Place.HERE):
            return
        assert {id: one is None for id, one in self.shown().items()} == {
            id: kept.has_bad_marks for id, kept in self.kept.items() if kept.brakes
        }


def job(tarkeep: Tarkeep, name: str) -> JobWork:
    """The work of a job, as the server does it."""
    return next(job.work for job in tarkeep.run_due_jobs.jobs if job.name == name)


def steps_left(number: int | None) -> GoOn:
    """True for *number* questions; None: for any number."""
    left = repeat(True) if number is None else repeat(True, number)
    return lambda: next(left, False)


def _reaches_a_full(lineage: Lineage, among: Iterable[Lineage]) -> bool:
    """Whether each snapshot file from which *lineage* comes was left by one of *among*."""
    by_snapshot = {one.snapshot_after: one for one in among if one.snapshot_after is not None}
    while lineage.snapshot_before is not None:
        if lineage.snapshot_before not in by_snapshot:
            return False
        lineage = by_snapshot[lineage.snapshot_before]
    return True


class InMemory(RetentionMachine):
    """On the memory adapters; the catalog is the same object after a restart."""

    def make_door(self) -> MemoryDoor:
        return MemoryDoor()

    def open_catalog(self, *, is_lost: bool = False) -> Catalog:
        if is_lost or not hasattr(self, "catalog"):
            return MemoryCatalog()
        return self.catalog

    def in_trash(self, id: ArchiveId) -> bytes | None:
        assert isinstance(self.door, MemoryDoor)
        found = self.door.store.in_trash.get(id)
        return None if found is None or found.held is None else found.held.content

    def damage_beside(self, id: ArchiveId, what: str, content: bytes | None) -> None:
        assert isinstance(self.door, MemoryDoor)
        store = self.door.store
        if what == "note":
            store.in_trash[id].note = content
            return
        held = store.archives.get(id) or store.in_trash[id].held
        assert held is not None
        setattr(held, what, content)


class OnDisk(RetentionMachine):
    """On a data directory and an SQLite file."""

    def make_door(self) -> FilesystemDoor:
        self.path = Path(self.cleanup.enter_context(tempfile.TemporaryDirectory()))
        return FilesystemDoor(self.path / "data")

    def open_catalog(self, *, is_lost: bool = False) -> Catalog:
        if is_lost:
            for file in self.path.glob("catalog.sqlite*"):
                file.unlink()
        return SqlCatalog.open(f"sqlite:///{self.path}/catalog.sqlite")

    def in_trash(self, id: ArchiveId) -> bytes | None:
        file = self._file("trash", id)
        return file.read_bytes() if file.exists() else None

    def damage_beside(self, id: ArchiveId, what: str, content: bytes | None) -> None:
        folder = "trash" if what == "note" or self._file("trash", id).exists() else "archives"
        suffix = {"note": ".trashed.json", "marks": ".marks", "sidecar": ".json"}[what]
        file = self._file(folder, id).with_name(id.name + suffix)
        file.unlink(missing_ok=True)
        if content is not None:
            file.write_bytes(content)

    def _file(self, folder: str, id: ArchiveId) -> Path:
        return self.path / "data" / folder / id.profile / id.type.value / id.name


_SETTINGS = settings(
    max_examples=EXAMPLES,
    stateful_step_count=25,
    deadline=None,
    suppress_health_check=list(HealthCheck),
)

TestInMemory = InMemory.TestCase
TestInMemory.settings = _SETTINGS
# a process that dies closes none of its files, and in this test that process is this one
TestOnDisk = pytest.mark.filterwarnings("ignore::pytest.PytestUnraisableExceptionWarning")(OnDisk.TestCase)
TestOnDisk.settings = settings(_SETTINGS, max_examples=max(1, EXAMPLES // 4))
