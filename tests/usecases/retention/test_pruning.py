"""Pruning a profile of real archives: what goes to the trash, what restores afterwards, and what comes back."""

from __future__ import annotations

from collections.abc import Callable, Container, Iterable
from contextlib import closing, suppress
from datetime import UTC, date, datetime, timedelta
from itertools import count
from pathlib import Path
from typing import Any

import pytest
from attrs import define, evolve, field

from tarkeep.adapters.filesystem.archive_store import FilesystemArchiveStore
from tarkeep.adapters.memory.catalog import MemoryCatalog
from tarkeep.adapters.memory.held_archives import HeldArchive
from tarkeep.adapters.memory.store import MemoryArchiveStore
from tarkeep.adapters.memory.upkeep.ballast import MemoryBallast
from tarkeep.adapters.sql.catalog import SqlCatalog
from tarkeep.domain.access.tokens import ANONYMOUS
from tarkeep.domain.archives import sidecar
from tarkeep.domain.archives.archive import ArchiveState, Offer
from tarkeep.domain.chains.link import Evidence, Link
from tarkeep.domain.chains.standing import PlacedArchive
from tarkeep.domain.errors.archives import ArchiveNotFound, ArchiveProtected, NameConflict
from tarkeep.domain.errors.capacity import BackendUnavailable, CatalogBusy, InsufficientStorage
from tarkeep.domain.errors.restoring import PointNotFound, PointNotRestorable
from tarkeep.domain.errors.retention import (
    ArchiveRemoved,
    HoldExists,
    HoldNotFound,
    LockEarlier,
    MarksUnreadable,
    NotInTrash,
    PlanChanged,
    PrunePaused,
    TimeIsOver,
)
from tarkeep.domain.evidence.entry import EvidenceKind, entry_of
from tarkeep.domain.evidence.facts import gone_in
from tarkeep.domain.identity.archive_id import ArchiveId, BackupType
from tarkeep.domain.ports.store import untold
from tarkeep.domain.profiles.retention_policy import Every, KeepRule
from tarkeep.domain.profiles.rules import ProfileRules, RuleBook
from tarkeep.domain.profiles.span import Span
from tarkeep.domain.retention import trash_note
from tarkeep.domain.retention.decisions import PruneDecision, PrunePlan, PruneVerdict
from tarkeep.domain.retention.marks import Hold
from tarkeep.domain.usecases.linking.profile_links import ProfileLinks
from tarkeep.domain.usecases.receiving.outcome import ReceiveOutcome
from tarkeep.domain.usecases.retention.trash import note_of
from tarkeep.domain.watching.arrived import ArrivedOnDay
from tests.support.archives import make_targz
from tests.support.assembled import Crash, Fuse, assembled
from tests.support.clocks import FixedClock, SequenceIds
from tests.support.faulty import Fault, FaultyCatalog, FaultyStore
from tests.support.memory_store import reopened
from tests.support.nights import NIGHT, POLICY, Nights

FULL, INC = BackupType.FULL, BackupType.INC


def test_the_old_chain_goes_and_kept_points_restore_as_before(nights: Nights) -> None:
    old, new = nights.chain(4), nights.chain(5)
    before = {id: nights.restored(id) for id in new}

    gone = nights.prune()

    assert gone == old[::-1]
    assert nights.stored() == new
    assert {id: nights.restored(id) for id in new} == before
    assert nights.tarkeep.plan_prune("laptop").verdict is PruneVerdict.NOTHING


def test_what_a_kept_point_builds_on_stays(nights: Nights) -> None:
    ten = nights.chain(11)
    assert nights.prune() == []
    assert nights.stored() == ten


def test_a_point_comes_back_with_all_it_builds_on(nights: Nights) -> None:
    old, _ = nights.chain(4), nights.chain(4)
    before = nights.restored(old[2])
    nights.prune()
    with pytest.raises(PointNotFound):
        nights.restored(old[2])

    back = nights.tarkeep.undelete(old[2])

    assert back == tuple(old[:3])
    assert nights.restored(old[2]) == before
    assert [trashed.id for trashed, _ in nights.tarkeep.list_trash()] == [old[3]]
    with pytest.raises(NotInTrash):
        nights.tarkeep.undelete(old[2])


def _blind(nights: Nights) -> Any:
    """Its undelete, over a catalog that cannot show anything."""
    undelete = nights.tarkeep.undelete
    failing: Any = FaultyCatalog(Fault("mark", CatalogBusy()))
    failing.adopt(nights.catalog.trashed())
    return evolve(undelete, way_back=evolve(undelete.way_back, catalog=failing))


def test_an_undelete_that_failed_halfway_goes_on(nights: Nights) -> None:
    """The files had moved when the catalog failed: the same command again shows the archive."""
    old, _ = nights.chain(1), nights.chain(3)
    nights.prune()
    with pytest.raises(CatalogBusy):
        _blind(nights)(old[0])
    assert nights.catalog.trashed()

    assert nights.tarkeep.undelete(old[0]) == (old[0],)

    assert nights.stored()[0] == old[0]


def test_what_came_back_while_the_catalog_failed_is_shown_when_it_can(nights: Nights) -> None:
    """Without anybody asking for it again; and once only."""
    old, new = nights.chain(2), nights.chain(3)
    before = nights.catalog.trashed()
    nights.prune()
    blind = _blind(nights)
    with pytest.raises(CatalogBusy):
        blind(old[1])
    with pytest.raises(CatalogBusy):
        evolve(nights.tarkeep.show_hidden, way_back=blind.way_back)()

    assert nights.tarkeep.show_hidden() == (old[0],)

    assert nights.stored() == [old[0], *new]
    assert nights.tarkeep.show_hidden() == ()
    assert nights.tarkeep.undelete(old[1]) == (old[1],)
    assert nights.catalog.trashed() == before


def test_what_could_not_be_moved_while_the_catalog_failed_is_shown_when_it_can(tmp_path: Path) -> None:
    """It is hidden, its files did not move, and then the catalog failed as well."""
    nights = Nights(tmp_path, _NeverMoving())
    old, new = nights.chain(1), nights.chain(3)
    apply: Any = nights.tarkeep.apply_prune
    failing: Any = evolve(apply.way_back, catalog=FaultyCatalog(Fault("mark", CatalogBusy())))
    with pytest.raises(CatalogBusy):
        evolve(apply, way_back=failing)("laptop", nights.tarkeep.plan_prune("laptop").digest)
    assert nights.stored() == new

    assert nights.tarkeep.show_hidden() == tuple(old)

    assert nights.stored() == [*old, *new]


@define(eq=False)
class _FullDisk(MemoryArchiveStore):
    """A store on a full disk, where there is room for a note once the ballast is given up."""

    ballast: MemoryBallast = field(factory=MemoryBallast)

    def trash(self, id: ArchiveId, note: bytes, now: datetime, tell: Callable[[], None] = untold) -> None:
        self._check()
        super().trash(id, note, now, tell)

    def purge(self, id: ArchiveId, note: bytes, now: datetime, tell: Callable[[], None] = untold) -> None:
        self._check()
        super().purge(id, note, now, tell)

    def _check(self) -> None:
        if self.ballast.is_set_aside or self.ballast.has_room:
            raise InsufficientStorage


def test_a_full_disk_is_pruned_with_what_was_set_aside(tmp_path: Path) -> None:
    store = _FullDisk()
    nights = Nights(tmp_path, store)
    old, new = nights.chain(2), nights.chain(3)
    apply = evolve(nights.tarkeep.apply_prune, ballast=store.ballast)
    purge = evolve(nights.tarkeep.purge_trash, ballast=store.ballast)
    store.ballast.keep()
    store.ballast.has_room = False

    apply("laptop", nights.tarkeep.plan_prune("laptop").digest)
    assert nights.stored() == new
    store.ballast.is_set_aside = True
    nights.clock.advance(timedelta(days=8))
    assert sorted(purge().purged) == sorted(old)

    assert not store.ballast.is_set_aside


def test_a_full_disk_without_anything_set_aside_says_so(tmp_path: Path) -> None:
    """The sentence speaks of the trash and not of an archive that was sent."""
    nights = Nights(tmp_path, _FullDisk())
    old, new = nights.chain(1), nights.chain(3)
    with pytest.raises(InsufficientStorage, match="even for moving an archive to the trash: remove something else"):
        nights.prune()

    assert nights.stored() == [*old, *new]


def test_the_trash_tells_when_and_why(nights: Nights) -> None:
    old, _ = nights.chain(2), nights.chain(3)
    plan = nights.tarkeep.plan_prune("laptop")
    nights.prune()

    notes = [note for _, note in nights.tarkeep.list_trash()]

    assert [note.id for note in notes if note] == sorted(old)
    assert all(note.plan == plan.digest and note.reasons == ("no rule reaches back to it",) for note in notes if note)
    assert all(note.keep_until == nights.clock.now() + timedelta(days=7) for note in notes if note)
    assert [note.parent for note in notes if note] == [None, old[0]]


def test_a_plan_that_is_out_of_date_removes_nothing(nights: Nights) -> None:
    old, new = nights.chain(3), nights.chain(3)
    seen = nights.tarkeep.plan_prune("laptop")
    nights.tarkeep.make_hold(old[0], "audit", "tax audit")

    with pytest.raises(PlanChanged, match="nothing was removed"):
        nights.tarkeep.apply_prune("laptop", seen.digest)

    assert nights.stored() == [*old, *new]


def test_much_at_once_waits_for_an_approval(nights: Nights) -> None:
    nights.rules.book = RuleBook((("*", ProfileRules(retention=evolve(POLICY, largest_share=0.25))),))
    nights.chain(4), nights.chain(3)
    digest = nights.tarkeep.plan_prune("laptop").digest

    with pytest.raises(PrunePaused, match="approve the plan if that is meant") as paused:
        nights.tarkeep.apply_prune("laptop", digest)
    assert paused.value.may_be_approved
    assert len(nights.stored()) == 7

    nights.tarkeep.apply_prune("laptop", digest, is_approved=True)
    assert len(nights.stored()) == 3


def test_without_a_policy_nothing_goes(nights: Nights) -> None:
    nights.rules.book = RuleBook()
    nights.chain(9)
    assert nights.prune() == []


# -- the time after --------------------------------------------------------------------------------------------------


def test_bytes_are_removed_when_their_time_is_over_and_no_sooner(nights: Nights) -> None:
    """Sooner neither by the policy of the day of the removal nor by the present one."""
    old, _ = nights.chain(2), nights.chain(3)
    nights.prune()
    nights.rules.book = RuleBook((("*", ProfileRules(retention=evolve(POLICY, trash_for=Span.parse("0d")))),))
    nights.clock.advance(timedelta(days=7) - timedelta(seconds=1))
    assert nights.tarkeep.purge_trash().purged == []
    nights.rules.book = RuleBook((("*", ProfileRules(retention=evolve(POLICY, trash_for=Span.parse("30d")))),))
    nights.clock.advance(timedelta(days=20))
    assert nights.tarkeep.purge_trash().purged == []
    nights.rules.book = RuleBook((("*", ProfileRules(retention=evolve(POLICY, trash_for=Span.parse("0d")))),))

    assert sorted(nights.tarkeep.purge_trash().purged) == sorted(old)

    assert all(trashed.size_bytes is None for trashed, _ in nights.tarkeep.list_trash())
    with pytest.raises(NotInTrash, match="its bytes were removed at"):
        nights.tarkeep.undelete(old[0])
    assert nights.tarkeep.purge_trash().purged == []


@pytest.fixture
def cut_off(tmp_path: Path) -> tuple[Nights, list[ArchiveId]]:
    """Two archives are in the trash for good; a purge wrote the note of the first and was cut off."""
    store = MemoryArchiveStore()
    nights = Nights(tmp_path, store)
    old, _ = nights.chain(2), nights.chain(3)
    nights.prune()
    nights.clock.advance(timedelta(days=8))
    note = note_of(old[0], store)
    assert note is not None
    store.in_trash[old[0]].note = trash_note.encode(note.purged(nights.clock.now()))
    nights.restart()
    return nights, old


def test_a_purge_that_was_cut_off_is_finished_by_the_next_one(cut_off: tuple[Nights, list[ArchiveId]]) -> None:
    """Its note says already that the bytes were removed; their end is told once, and the name is forgotten in time."""
    nights, old = cut_off
    told: list[ArchiveId] = []
    report = nights.tarkeep.purge_trash(tell=lambda id, _again: told.append(id))

    assert (sorted(report.purged), sorted(told), report.failed) == (sorted(old), sorted(old), [])
    assert all(trashed.size_bytes is None for trashed in nights.store.trashed())
    nights.clock.advance(timedelta(days=400))
    nights.tarkeep.accept_clock()
    assert nights.tarkeep.purge_trash().forgotten == 2


@pytest.mark.parametrize("is_same", [True, False])
def test_a_name_comes_again_after_a_purge_that_was_cut_off(
    cut_off: tuple[Nights, list[ArchiveId]], is_same: bool
) -> None:
    """As after one that came to its end: what the purge left goes first, and no purge takes what came."""
    nights, old = cut_off
    content = nights.sent[0][1] if is_same else make_targz({"other": b"other"})

    received = nights.tarkeep.receive(Offer(old[0]), [content])

    assert received.outcome is ReceiveOutcome.NEW
    assert nights.tarkeep.purge_trash().purged == [old[1]]
    with nights.store.read(old[0]) as reader:
        assert b"".join(reader) == content


def test_a_profile_that_has_lost_its_policy_keeps_its_trash(nights: Nights) -> None:
    nights.chain(2), nights.chain(3)
    nights.prune()
    nights.rules.book = RuleBook()
    nights.clock.advance(timedelta(days=300))

    assert nights.tarkeep.purge_trash().purged == []


def test_names_are_known_for_a_year_and_then_forgotten(nights: Nights) -> None:
    old, new = nights.chain(2), nights.chain(3)
    nights.prune()
    nights.clock.advance(timedelta(days=8))
    nights.tarkeep.purge_trash()

    report = nights.compared()
    assert report.is_synchronized
    assert report.types[FULL].pruned == (old[0].name,)
    assert report.types[INC].pruned == (old[1].name,)
    assert report.types[FULL].missing_remote == ()
    with pytest.raises(ArchiveRemoved) as removed:
        nights.tarkeep.find_archive(FULL, old[0].name, "laptop", principal=ANONYMOUS)
    assert len(removed.value.sha256) == 64

    nights.clock.advance(timedelta(days=400))
    assert nights.tarkeep.purge_trash().forgotten == 2
    assert list(nights.tarkeep.list_trash()) == []
    assert nights.compared().types[FULL].missing_remote == (old[0].name,)
    assert nights.stored() == new


@pytest.mark.parametrize("is_purged", [False, True])
def test_the_same_bytes_again_come_back_with_their_old_receipt(nights: Nights, is_purged: bool) -> None:
    """What is acknowledged is kept; and nobody undoes a prune for longer than until the next one."""
    old, new = nights.chain(2), nights.chain(3)
    received_at = nights.catalog.find(old[0]).received_at
    nights.prune()
    if is_purged:
        nights.clock.advance(timedelta(days=8))
        nights.tarkeep.purge_trash()

    received = nights.tarkeep.receive(Offer(old[0]), [nights.sent[0][1]])

    assert received.outcome is (ReceiveOutcome.NEW if is_purged else ReceiveOutcome.DUPLICATE)
    assert received.archive.received_at == received_at
    assert received.archive.state is ArchiveState.STORED
    assert nights.stored() == [old[0], *new]
    with nights.store.read(old[0]) as reader:
        assert b"".join(reader) == nights.sent[0][1]
    assert nights.prune() == [old[0]]


def test_the_same_bytes_again_come_back_with_all_they_build_on(nights: Nights) -> None:
    """As an undelete brings them back; an orphan would be no use to anybody."""
    old, new = nights.chain(3), nights.chain(3)
    before = nights.restored(old[2])
    nights.prune()

    received = nights.tarkeep.receive(Offer(old[2]), [nights.sent[2][1]])

    assert received.outcome is ReceiveOutcome.DUPLICATE
    assert received.brought_back == tuple(old)
    assert received.warnings == ()
    assert nights.stored() == [*old, *new]
    assert nights.restored(old[2]) == before


def test_a_receive_that_fails_forgets_nothing_of_what_was_removed(tmp_path: Path) -> None:
    """The next one of the same bytes still gets their first receipt."""
    store = FaultyStore(fault=Fault("never", OSError()))
    nights = Nights(tmp_path, store)
    old, _ = nights.chain(1), nights.chain(3)
    received_at = nights.catalog.find(old[0]).received_at
    nights.prune()
    nights.clock.advance(timedelta(days=8))
    nights.tarkeep.purge_trash()

    store.fault = Fault("publish", InsufficientStorage())
    with pytest.raises(InsufficientStorage):
        nights.tarkeep.receive(Offer(old[0]), [nights.sent[0][1]])
    assert [archive.id for archive in nights.catalog.trashed()] == old

    store.fault = Fault("never", OSError())
    assert nights.tarkeep.receive(Offer(old[0]), [nights.sent[0][1]]).archive.received_at == received_at


@pytest.mark.parametrize("is_purged", [False, True])
def test_other_bytes_under_a_removed_name(nights: Nights, is_purged: bool) -> None:
    """A conflict while the first ones can come back; after that the name is free."""
    old, new = nights.chain(2), nights.chain(3)
    nights.prune()
    if not is_purged:
        with pytest.raises(NameConflict):
            nights.tarkeep.receive(Offer(old[0]), [nights.sent[2][1]])
        assert nights.stored() == new
        return
    nights.clock.advance(timedelta(days=8))
    nights.tarkeep.purge_trash()

    received = nights.tarkeep.receive(Offer(old[0]), [nights.sent[2][1]])

    assert received.archive.received_at == nights.clock.now()
    assert nights.stored() == [*new, old[0]]
    nights.restart()
    assert nights.stored() == [*new, old[0]]


def test_a_damaged_note_keeps_nobody_from_bringing_an_archive_back(nights: Nights) -> None:
    """It does not even say what the archive builds on, so only the archive itself comes back."""
    old, new = nights.chain(2), nights.chain(3)
    nights.prune()
    nights.damage_note(old[1])

    assert nights.tarkeep.undelete(old[1]) == (old[1],)

    assert nights.stored() == [old[1], *new]
    assert nights.tarkeep.undelete(old[0]) == (old[0],)
    assert nights.stored() == [*old, *new]


@pytest.mark.parametrize("is_lost", [False, True])
def test_an_archive_with_a_damaged_side_car_comes_back_with_a_new_one(nights: Nights, is_lost: bool) -> None:
    """Its bytes say what it holds, and its note or the catalog when it was received; it restores as before."""
    old, new = nights.chain(2), nights.chain(3)
    known, before = nights.catalog.find(old[1]), nights.restored(old[1])
    nights.prune()
    nights.damage_sidecar(old[1])
    if is_lost:
        nights.tarkeep.rebuild()
    assert nights.tarkeep.undelete(old[1]) == tuple(old)

    assert nights.stored() == [*old, *new]
    assert nights.catalog.find(old[1]) == known
    assert sidecar.decode(nights.store.stat(old[1]).sidecar or b"") == known
    assert nights.restored(old[1]) == before


@pytest.mark.parametrize("is_lost", [False, True])
def test_whatever_call_the_server_dies_at_what_comes_back_is_known_as_before(tmp_path: Path, is_lost: bool) -> None:
    """Its side-car is junk, and after a rebuild the catalog knows no more than its note: the next start mends both."""
    seen = set()
    for step in count(1):
        (tmp_path / f"place{step}").mkdir()
        store, catalog = MemoryArchiveStore(FixedClock()), MemoryCatalog()
        nights = Nights(tmp_path / f"place{step}", store, catalog)
        for number in range(2):
            content = make_targz({f"{number}": b"text"})
            nights.tarkeep.receive(Offer(ArchiveId("laptop", FULL, f"night{number}.tar.gz")), [content])
            nights.clock.advance(4 * NIGHT)
        id = ArchiveId("laptop", FULL, "night0.tar.gz")
        known = catalog.find(id)
        last = evolve(POLICY, rules=(KeepRule(Every.POINT, 1),))
        nights.rules.book = RuleBook((("*", ProfileRules(retention=last)),))
        assert nights.prune() == [id]
        nights.damage_sidecar(id)
        if is_lost:
            nights.tarkeep.rebuild()
        fuse = Fuse(blows_at=step)
        dying = assembled(fuse.around(store), fuse.around(catalog), nights.clock, rules=nights.rules)
        with suppress(Crash):
            dying.undelete(id)
        nights.store = reopened(store)
        nights.restart()

        is_back = id in nights.stored()
        if is_back:
            assert catalog.find(id) == known, step
            assert sidecar.decode(nights.store.stat(id).sidecar or b"") == known
        seen.add(is_back)
        if not fuse.blown:
            break
    assert seen == {False, True}


def test_a_full_that_claims_to_be_old_takes_away_nothing_that_is(nights: Nights) -> None:
    """A thief sends the bytes of the true one again; what was built on that seems to build on the newcomer."""
    by = evolve(POLICY, rules=(KeepRule(Every.POINT, 1),), minimum_fulls=0, minimum_age=Span.parse("7d"))
    nights.rules.book = RuleBook((("*", ProfileRules(retention=by)),))
    full, inc = nights.chain(2)
    nights.clock.advance(20 * NIGHT)
    between = nights.catalog.find(inc).placed_at - timedelta(hours=1)
    planted = Offer(evolve(full, name="planted.tar.gz"), taken_at=between)
    nights.tarkeep.receive(planted, [nights.sent[0][1]])
    paths = {point.archive.id: point.path for point in nights.tarkeep.load_points("laptop").all()}
    assert paths[inc] == (planted.id, inc)

    assert nights.prune() == []


def test_archives_with_a_damaged_note_are_sent_again(nights: Nights) -> None:
    """The same bytes bring the archive back with its receipt, others are a conflict."""
    old, new = nights.chain(1), nights.chain(3)
    received_at = nights.catalog.find(old[0]).received_at
    nights.prune()
    nights.damage_note(old[0])

    with pytest.raises(NameConflict):
        nights.tarkeep.receive(Offer(old[0]), [nights.sent[1][1]])
    received = nights.tarkeep.receive(Offer(old[0]), [nights.sent[0][1]])

    assert received.archive.received_at == received_at
    assert nights.stored() == [*old, *new]


def test_a_lost_catalog_knows_what_was_removed(nights: Nights) -> None:
    """By a start with an empty catalog, and by a rebuild."""
    old, new = nights.chain(3), nights.chain(3)
    nights.prune()
    nights.tarkeep.undelete(old[0])
    before = nights.catalog.trashed()
    assert [archive.id for archive in before] == old[1:]

    nights.catalog = MemoryCatalog()
    nights.restart()
    assert nights.catalog.trashed() == before
    assert nights.stored() == [old[0], *new]

    nights.tarkeep.rebuild(check=True)
    assert nights.catalog.trashed() == before
    assert nights.compared().types[INC].pruned == (old[1].name, old[2].name)


class _NeverMoving(MemoryArchiveStore):
    """A store on a disk that has no room for a note."""

    def trash(self, id: ArchiveId, note: bytes, now: datetime, tell: Callable[[], None] = untold) -> None:
        raise InsufficientStorage


class _FailingLate(MemoryArchiveStore):
    """A store whose moves fail when everything has moved."""

    def trash(self, id: ArchiveId, note: bytes, now: datetime, tell: Callable[[], None] = untold) -> None:
        super().trash(id, note, now, tell)
        raise BackendUnavailable("store", "the last fsync failed")

    def untrash(self, id: ArchiveId) -> None:
        super().untrash(id)
        raise BackendUnavailable("store", "the last fsync failed")


def test_what_moved_before_an_error_is_shown_where_it_is(tmp_path: Path) -> None:
    """A prune that fails does not call an archive stored that is in the trash, which would be found damaged."""
    nights = Nights(tmp_path, _FailingLate())
    old, new = nights.chain(1), nights.chain(3)
    with pytest.raises(BackendUnavailable):
        nights.prune()
    assert nights.stored() == new
    assert [archive.id for archive in nights.catalog.trashed()] == old

    with pytest.raises(BackendUnavailable):
        nights.tarkeep.undelete(old[0])

    assert nights.stored() == [*old, *new]
    assert nights.restored(old[0])


def test_a_prune_that_never_began_shows_what_was_purged_and_sent_again(nights: Nights) -> None:
    """The note of the first removal is still there; it says nothing of the second one."""
    old, new = nights.chain(1), nights.chain(3)
    nights.prune()
    nights.clock.advance(timedelta(days=8))
    nights.tarkeep.purge_trash()
    nights.tarkeep.receive(Offer(old[0]), [nights.sent[0][1]])
    nights.catalog.mark(old[0], ArchiveState.TRASHED)

    nights.restart()

    assert nights.stored() == [*old, *new]


def test_a_lost_catalog_orders_what_was_removed_as_before(nights: Nights) -> None:
    """By the time at which it was taken, which tells what an archive may build on."""
    old = ArchiveId("laptop", FULL, "full_2020-01-31_02-00-00.tar.gz")
    nights.tarkeep.receive(Offer(old), [make_targz({"one": b"1"})])
    nights.clock.advance(NIGHT)
    nights.chain(3)
    assert nights.prune() == [old]
    nights.clock.advance(timedelta(days=8))
    nights.tarkeep.purge_trash()

    nights.catalog = MemoryCatalog()
    nights.restart()

    (removed,) = nights.catalog.trashed()
    assert (removed.id, removed.taken_at) == (old, datetime(2020, 1, 31, 2, tzinfo=UTC))


def test_a_prune_that_died_after_the_note_goes_on_at_the_next_start(tmp_path: Path) -> None:
    """The catalog says that it was removed; only its note is in the trash."""
    (tmp_path / "place").mkdir()
    with closing(FilesystemArchiveStore.open(tmp_path / "data", ids=SequenceIds())) as store:
        nights = Nights(tmp_path / "place", store)
        old, new = nights.chain(1), nights.chain(3)
        nights.prune()
        trash, archives = (tmp_path / "data" / place / "laptop" / "FULL" for place in ("trash", "archives"))
        archives.joinpath(old[0].name).hardlink_to(trash / old[0].name)
        archives.joinpath(f"{old[0].name}.json").hardlink_to(trash / f"{old[0].name}.json")
        trash.joinpath(old[0].name).unlink()
        trash.joinpath(f"{old[0].name}.json").unlink()

        nights.restart()

        assert nights.stored() == new
        assert [id for id in store.ids() if id in old] == []
        assert (trash / old[0].name).read_bytes() == nights.sent[0][1]


# -- marks -----------------------------------------------------------------------------------------------------------


def test_a_held_archive_stays_with_all_it_builds_on_until_it_is_released(nights: Nights) -> None:
    old, new = nights.chain(4), nights.chain(3)
    nights.tarkeep.make_hold(old[1], "audit", "tax audit")

    assert nights.prune() == [old[3], old[2]]

    nights.tarkeep.release_hold(old[1], "audit")
    assert nights.prune() == [old[1], old[0]]
    assert nights.stored() == new
    with pytest.raises(ArchiveNotFound):
        nights.tarkeep.release_hold(old[1], "audit")


def test_a_lock_never_becomes_shorter_and_ends_by_itself(nights: Nights) -> None:
    old, _ = nights.chain(1), nights.chain(3)
    end = nights.clock.now() + timedelta(days=5)
    nights.tarkeep.lock_archive(old[0], end)
    with pytest.raises(LockEarlier, match="can only be made longer"):
        nights.tarkeep.lock_archive(old[0], end - timedelta(seconds=1))

    assert nights.prune() == []
    nights.clock.advance(timedelta(days=5))
    assert nights.prune() == old


def test_a_hold_in_force_is_never_replaced(nights: Nights) -> None:
    """Whoever may prune could otherwise end the hold of somebody else by giving it an early end."""
    (id,) = nights.chain(1)
    made = nights.tarkeep.make_hold(id, "audit", "tax audit")
    nights.clock.advance(NIGHT)

    assert nights.tarkeep.make_hold(id, "audit", "tax audit") == made
    for reason, until in (("tax audit", nights.clock.now() + NIGHT), ("another", None)):
        with pytest.raises(HoldExists, match=r"has a hold audit already, .*: tax audit"):
            nights.tarkeep.make_hold(id, "audit", reason, until)
    assert nights.tarkeep.read_marks(id) == made

    until = nights.clock.now() + NIGHT
    nights.tarkeep.make_hold(id, "short", "a test", until)
    nights.clock.advance(NIGHT)
    marks = nights.tarkeep.make_hold(id, "short", "another test")
    assert [hold.reason for hold in marks.holds] == ["tax audit", "another test"]


def test_other_bytes_do_not_get_the_name_of_what_was_removed(nights: Nights) -> None:
    """And are not told that the archive is stored, which nobody finds then."""
    old, _ = nights.chain(1), nights.chain(3)
    assert nights.prune() == old
    with pytest.raises(NameConflict, match=r"night00.tar.gz was removed, had other bytes \(sha256 .*\), and its name"):
        nights.tarkeep.receive(Offer(old[0]), [nights.sent[-1][1]])


def test_what_would_be_over_already_is_refused(nights: Nights) -> None:
    (id,) = nights.chain(1)
    with pytest.raises(TimeIsOver, match="that time is over"):
        nights.tarkeep.make_hold(id, "audit", "tax audit", nights.clock.now())
    with pytest.raises(TimeIsOver, match="that time is over"):
        nights.tarkeep.lock_archive(id, nights.clock.now())


def test_a_policy_may_lock_what_comes_in(nights: Nights) -> None:
    """From its receipt on, before its sender is answered; neither sending it again nor another policy unlocks it."""
    nights.rules.book = RuleBook((("*", ProfileRules(retention=evolve(POLICY, lock_for=Span.parse("20d")))),))
    old, _ = nights.chain(2), nights.chain(3)
    ends = [nights.tarkeep.read_marks(id).locked_until for id in old]
    assert ends == [nights.catalog.find(id).received_at + timedelta(days=20) for id in old]

    nights.tarkeep.receive(Offer(old[0]), [nights.sent[0][1]])
    assert nights.tarkeep.read_marks(old[0]).locked_until == ends[0]
    nights.rules.book = RuleBook((("*", ProfileRules(retention=POLICY)),))
    assert nights.prune() == []
    nights.clock.advance(timedelta(days=17))
    assert nights.prune() == old[::-1]


def test_marks_survive_a_lost_catalog(nights: Nights) -> None:
    old, _ = nights.chain(1), nights.chain(3)
    nights.tarkeep.make_hold(old[0], "audit", "tax audit")
    nights.catalog = MemoryCatalog()
    nights.restart()

    assert nights.prune() == []
    assert nights.tarkeep.read_marks(old[0]).holds == (Hold("audit", "tax audit", nights.clock.now()),)


def test_a_hold_that_is_not_there_cannot_be_released(nights: Nights) -> None:
    (id,) = nights.chain(1)
    with pytest.raises(HoldNotFound, match="has no hold audit"):
        nights.tarkeep.release_hold(id, "audit")


def test_marks_that_cannot_be_read_protect_and_cannot_be_added_to(nights: Nights) -> None:
    old, _ = nights.chain(1), nights.chain(3)
    nights.store.mark(old[0], b"not marks", None)

    assert nights.prune() == []
    with pytest.raises(MarksUnreadable):
        nights.tarkeep.make_hold(old[0], "audit", "tax audit")


def test_the_last_wall_is_the_store(nights: Nights) -> None:
    """Even if a plan did not know of the mark, the marked archive does not move."""
    old, _ = nights.chain(1), nights.chain(3)
    nights.tarkeep.make_hold(old[0], "audit", "tax audit")
    blind = evolve(nights.tarkeep.apply_prune, plan=evolve(nights.tarkeep.plan_prune, store=MemoryArchiveStore()))
    plan = blind.plan("laptop")

    with pytest.raises(ArchiveProtected):
        blind("laptop", plan.digest)

    assert nights.catalog.find(old[0]).state is ArchiveState.STORED
    assert nights.restored(old[0])


# -- the clock -------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("jump", [timedelta(days=3650), -timedelta(days=2)])
def test_nothing_is_removed_while_the_clock_is_in_doubt(nights: Nights, jump: timedelta) -> None:
    """Not by a plan, not out of the trash, not after a restart: until somebody has looked at it."""
    old, new = nights.chain(2), nights.chain(3)
    nights.tarkeep.lock_archive(new[0], nights.clock.now() + timedelta(days=99))
    nights.prune()
    nights.chain(5)
    nights.clock.jump(jump)

    for _ in range(2):
        plan = nights.tarkeep.plan_prune("laptop")
        assert plan.verdict is PruneVerdict.PAUSED
        with pytest.raises(PrunePaused, match="the clock jumped"):
            nights.tarkeep.apply_prune("laptop", plan.digest, is_approved=True)
        assert nights.tarkeep.purge_trash().stopped.startswith("the clock jumped")
        nights.clock.advance(timedelta(minutes=1))
    assert nights.catalog.trashed()

    nights.tarkeep.accept_clock()
    assert not nights.tarkeep.purge_trash().stopped
    assert nights.tarkeep.plan_prune("laptop").verdict is not PruneVerdict.PAUSED
    assert set(old).isdisjoint(nights.stored())


# -- readers ---------------------------------------------------------------------------------------------------------


def test_what_is_being_read_stays(nights: Nights) -> None:
    """A restore that takes its time gets every archive of its path."""
    nights.file_bytes = 150_000
    old, new = nights.chain(3), nights.chain(3)
    whole = nights.restored(old[-1])
    reading = nights.tarkeep.restore_tar(nights.tarkeep.open_point("laptop", old[-1]))
    first = next(reading)

    assert nights.prune() == []

    assert first + b"".join(reading) == whole
    assert nights.prune() == old[::-1]
    assert nights.stored() == new


@pytest.mark.parametrize("is_purged", [False, True])
def test_an_archive_never_jumps_over_what_was_removed(nights: Nights, is_purged: bool) -> None:
    """Each name agrees with the FULL, and yet a file there has the content of another night."""
    nights.night(FULL, file="other")
    full, first, second = (nights.night(type, file="one") for type in (FULL, INC, INC))
    third = nights.night(INC, file="other")
    before = nights.restored(third)
    nights.chain(3)
    nights.tarkeep.make_hold(full, "audit", "tax audit")
    assert {first, second, third} <= set(nights.prune())
    nights.damage_note(third)
    if is_purged:
        nights.clock.advance(timedelta(days=8))
        nights.tarkeep.purge_trash()

    received = nights.tarkeep.receive(Offer(third), [nights.sent[4][1]])

    if is_purged:
        with pytest.raises(PointNotRestorable, match="was removed by the retention policy"):
            nights.restored(third)
        return
    assert set(received.brought_back) == {first, second, third}
    assert nights.restored(third) == before


def test_two_machines_in_one_profile_do_not_lose_each_others_points(nights: Nights, tmp_path: Path) -> None:
    """Their archives come in turns and links are inferred: what restored before and is kept restores as before."""
    (tmp_path / "other").mkdir()
    other = Nights(tmp_path / "other", nights.store, nights.catalog, nights.clock, nights.rules)
    for type in (FULL, FULL, INC, INC, FULL, INC, INC, FULL, INC, INC, INC, INC):
        machine = nights if len(nights.sent) % 2 else other
        machine.night(type)
        nights.sent = other.sent = max(nights.sent, other.sent, key=len)
    before = {
        point.archive.id: point.path for point in nights.tarkeep.load_points("laptop").all() if point.is_restorable
    }

    nights.prune()

    for point in nights.tarkeep.load_points("laptop").all():
        assert point.archive.id not in before or point.path == before[point.archive.id]


@define
class _Dependent:
    """Links as `ProfileLinks` makes them, but that without *other* the archive *id* builds on nothing."""

    links: ProfileLinks
    id: ArchiveId
    other: ArchiveId

    def in_memory(
        self,
        profile: str,
        *,
        without: Container[ArchiveId] = (),
        trashed: Container[ArchiveId] = (),
        before: Iterable[PlacedArchive] = (),
    ) -> list[PlacedArchive]:
        places = self.links.in_memory(profile, without=without, trashed=trashed, before=before)
        if self.other not in trashed:
            return places
        orphan = Link(self.id, None, Evidence.ORPHAN, "judged otherwise")
        return [evolve(place, link=orphan) if place.archive.id == self.id else place for place in places]


def test_what_the_links_of_kept_archives_hang_on_stays(nights: Nights) -> None:
    """A link that is inferred depends on the other archives: none goes without which it would come out otherwise."""
    old, new = nights.chain(3), nights.chain(3)
    links: Any = _Dependent(nights.tarkeep.links, new[1], old[1])
    plan = evolve(nights.tarkeep.plan_prune, links=links)("laptop")

    kept = {one.archive.id: one.reasons[0].text for one in plan.decisions if one.is_kept}
    assert kept[old[1]] == f"without it, what {new[1].label} builds on would be judged otherwise"
    assert old[0] in kept


@pytest.mark.parametrize("keep_bytes", [None, 100])
def test_what_stays_instead_of_what_goes_must_be_there(nights: Nights, keep_bytes: int | None) -> None:
    """Else the last archives that restore would go, because of others that only the catalog has."""
    fulls = [nights.night(FULL) for _ in range(6)]
    plan = nights.tarkeep.plan_prune("laptop")
    gone = {one.archive.id for one in plan.removed}
    assert gone == set(fulls[:3])
    for id in fulls[3:]:
        nights.harm(id, keep_bytes=keep_bytes)

    with pytest.raises(PlanChanged):
        nights.tarkeep.apply_prune("laptop", plan.digest)
    nights.tarkeep.apply_prune("laptop", None)

    assert set(fulls[:3]) <= set(nights.stored())
    assert all(nights.catalog.find(id).state is ArchiveState.DAMAGED for id in fulls[3:])
    assert nights.restored(fulls[2])


def test_an_archive_that_comes_back_cut_off_is_damaged(nights: Nights) -> None:
    """Nobody calls it restorable."""
    old, _ = nights.chain(3), nights.chain(3)
    nights.prune()
    nights.harm(old[1], keep_bytes=100, place="trash")

    nights.tarkeep.undelete(old[2])

    states = [nights.catalog.find(id).state for id in old]
    assert states == [ArchiveState.STORED, ArchiveState.DAMAGED, ArchiveState.STORED]
    with pytest.raises(PointNotRestorable):
        nights.restored(old[2])


def test_a_file_that_somebody_laid_under_the_name_is_not_taken_for_the_archive(nights: Nights) -> None:
    """Undelete is refused, and says why; the archive stays in the trash, whole."""
    old, _ = nights.chain(3), nights.chain(3)
    nights.prune()
    if isinstance(nights.store, MemoryArchiveStore):
        nights.store.archives[old[1]] = HeldArchive(b"foreign", None)
    else:
        place = nights.place.parent / "data" / "archives" / "laptop" / "INC"
        (place / old[1].name).write_bytes(b"foreign")

    with pytest.raises(NameConflict, match="that the catalog does not know"):
        nights.tarkeep.undelete(old[1])

    assert old[1] not in nights.stored()
    assert note_of(old[1], nights.store) is not None
    if isinstance(nights.store, MemoryArchiveStore):
        del nights.store.archives[old[1]]
    else:
        (place / old[1].name).unlink()
    assert nights.tarkeep.undelete(old[1])[-1] == old[1]
    assert nights.restored(old[1])


def _removed_by_lines(nights: Nights, kind: EvidenceKind) -> list[ArchiveId]:
    """The archives that the evidence says are gone, once for each line that names them."""
    lines = (line for month in nights.evidence.months() for line in nights.evidence.read(month))
    entries = [entry for line in lines if (entry := entry_of(line)) is not None]
    return sorted(id for entry in entries if entry.kind is kind for id, _ in gone_in(entry))


def test_what_a_killed_prune_had_removed_is_in_the_evidence_after_the_next_start_once(nights: Nights) -> None:
    """The line of a run is written at its end. The audit log had its lines all the time."""
    old, _ = nights.chain(4), nights.chain(5)

    class Killed(BaseException):
        pass

    def kill(removed: PruneDecision, _plan: PrunePlan) -> None:
        if removed.archive.id == old[2]:
            raise Killed

    with pytest.raises(Killed):
        nights.tarkeep.apply_prune("laptop", None, tell=kill)
    assert _removed_by_lines(nights, EvidenceKind.PRUNED) == []
    nights.clock.advance(timedelta(hours=1))
    nights.restart()
    assert _removed_by_lines(nights, EvidenceKind.PRUNED) == old[2:]
    nights.restart()
    nights.prune()
    nights.restart()
    assert _removed_by_lines(nights, EvidenceKind.PRUNED) == old


def test_what_a_killed_purge_had_removed_is_in_the_evidence_after_the_next_one(nights: Nights) -> None:
    """Also if no server was started meanwhile, since each purge looks at what was removed before its day."""
    old, _ = nights.chain(3), nights.chain(5)
    nights.prune()
    nights.clock.advance(timedelta(days=8))

    class Killed(BaseException):
        pass

    def kill(purged: ArchiveId, _again: bool) -> None:
        if purged == old[1]:
            raise Killed

    with pytest.raises(Killed):
        nights.tarkeep.purge_trash(tell=kill)
    assert _removed_by_lines(nights, EvidenceKind.PURGED) == []
    for _ in range(3):
        nights.clock.advance(timedelta(days=1))
        nights.tarkeep.purge_trash()
    nights.restart()

    assert _removed_by_lines(nights, EvidenceKind.PURGED) == old
    assert _removed_by_lines(nights, EvidenceKind.PRUNED) == old


@pytest.mark.parametrize("way", ["start", "rebuild"])
@pytest.mark.parametrize("kind", ["memory", "sqlite"])
def test_a_lost_catalog_knows_again_on_which_days_pruned_archives_came(tmp_path: Path, kind: str, way: str) -> None:
    """By the notes, which outlive the bytes: a calendar of the last year shows no day as missed that was not."""

    def empty_catalog(name: str) -> MemoryCatalog | SqlCatalog:
        return MemoryCatalog() if kind == "memory" else SqlCatalog.open(f"sqlite:///{tmp_path / name}")

    def days_of(catalog: MemoryCatalog | SqlCatalog) -> list[ArrivedOnDay]:
        return catalog.arrived.days(date(2020, 1, 1), date(2040, 1, 1), profile="laptop")

    first, second = empty_catalog("first"), empty_catalog("second")
    with closing(first), closing(second):
        nights = Nights(tmp_path, MemoryArchiveStore(), first)
        nights.chain(4)
        nights.chain(5)
        nights.prune()
        nights.clock.advance(timedelta(days=8))
        assert len(nights.tarkeep.purge_trash().purged) == 4
        nights.chain(4)
        nights.prune()
        before = days_of(first)
        assert sum(day.archives for day in before) == 13

        nights.catalog = second
        if way == "start":
            nights.restart()
        else:
            assembled(nights.store, second, nights.clock, rules=nights.rules).rebuild()

        assert days_of(second) == before
