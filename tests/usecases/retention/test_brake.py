"""The brake: what is suspicious when it arrives stops the pruning of its profile until somebody has looked."""

from __future__ import annotations

import shutil
from contextlib import suppress
from itertools import count
from pathlib import Path
from random import Random

import pytest
from attrs import evolve

from tarkeep.adapters.memory.catalog import MemoryCatalog
from tarkeep.adapters.memory.held_archives import HeldArchive
from tarkeep.adapters.memory.store import MemoryArchiveStore
from tarkeep.domain.archives.archive import Offer
from tarkeep.domain.errors.archives import ArchiveNotFound, ProfileNotFound
from tarkeep.domain.errors.capacity import BackendUnavailable, InsufficientStorage
from tarkeep.domain.errors.retention import PrunePaused
from tarkeep.domain.identity.archive_id import ArchiveId, BackupType
from tarkeep.domain.profiles.rules import ProfileRules, RuleBook
from tarkeep.domain.retention import marks
from tarkeep.domain.retention.decisions import PauseKind, PruneVerdict
from tarkeep.domain.retention.suspicion import Indication, Sign, Suspicion
from tests.support.archives import NOON, make_targz
from tests.support.assembled import Crash, Fuse, assembled
from tests.support.catalogs import all_archives
from tests.support.clocks import FixedClock
from tests.support.faulty import Fault, FaultyCatalog, FaultyStore
from tests.support.memory_store import reopened, staging_is_empty
from tests.support.nights import NIGHT, POLICY, Nights

FULL, INC = BackupType.FULL, BackupType.INC
NOBODY = ArchiveId("nobody", FULL, "a.tar.gz")


@pytest.fixture
def nights(tmp_path: Path) -> Nights:
    """A machine with 300 files, and two chains on the server, of which one would be pruned."""
    return _machine(tmp_path, MemoryArchiveStore(FixedClock()), MemoryCatalog())


def _machine(place: Path, store: MemoryArchiveStore, catalog: MemoryCatalog) -> Nights:
    (place / "machine").mkdir()
    nights = Nights(place / "machine", store, catalog, file_bytes=200)
    folder = nights.place / "root" / "documents"
    folder.mkdir()
    for number in range(300):
        (folder / f"report{number}.txt").write_bytes(Random(number).randbytes(50))
    nights.chain(3)
    nights.chain(3)
    return nights


def documents(nights: Nights) -> list[Path]:
    return sorted((nights.place / "root" / "documents").iterdir())


def signs_of(nights: Nights, id: ArchiveId) -> list[Sign]:
    found = nights.tarkeep.show_brake("laptop").get(id)
    return [] if found is None else [one.sign for one in found.indications]


def test_an_ordinary_night_is_not_suspicious(nights: Nights) -> None:
    assert nights.tarkeep.show_brake("laptop") == {}
    assert nights.tarkeep.plan_prune("laptop").verdict is PruneVerdict.READY


def test_files_that_vanish_stop_pruning_until_somebody_has_looked(nights: Nights) -> None:
    for one in documents(nights)[:150]:
        one.unlink()
    id = nights.night(INC)

    assert signs_of(nights, id) == [Sign.GONE]
    plan = nights.tarkeep.plan_prune("laptop")
    assert (plan.verdict, [pause.kind for pause in plan.pauses]) == (PruneVerdict.PAUSED, [PauseKind.BRAKE])
    assert "at least 149 files of 306 are gone" in plan.pauses[0].reason
    with pytest.raises(PrunePaused) as caught:
        nights.tarkeep.apply_prune("laptop", plan.digest, is_approved=True)
    assert not caught.value.may_be_approved

    assert nights.tarkeep.release_brake(id) == ((id,), ())

    assert nights.tarkeep.show_brake("laptop") == {}
    nights.prune()


def test_files_that_get_new_names_and_endings_are_told(nights: Nights) -> None:
    for one in documents(nights):
        one.with_name(one.name + ".locked").write_bytes(one.read_bytes()[::-1])
        one.unlink()
    assert signs_of(nights, nights.night(INC)) == [Sign.CARRIES_MOST, Sign.GONE, Sign.SUFFIX]


def test_files_that_all_change_at_once_are_told(nights: Nights) -> None:
    for one in documents(nights):
        one.write_bytes(one.read_bytes()[::-1])
    assert signs_of(nights, nights.night(INC)) == [Sign.CARRIES_MOST]


def test_a_move_is_no_loss(nights: Nights) -> None:
    """A folder that has another name, and files that went into another one."""
    folder = nights.place / "root" / "documents"
    folder.rename(folder.with_name("papers"))
    moved = nights.night(INC)
    (nights.place / "root" / "other").mkdir()
    for one in sorted((nights.place / "root" / "papers").iterdir()):
        shutil.move(one, nights.place / "root" / "other" / one.name)
    again = nights.night(INC)

    assert Sign.GONE not in signs_of(nights, moved) + signs_of(nights, again)


def test_what_comes_after_the_one_that_was_seen_keeps_the_brake(nights: Nights) -> None:
    for one in documents(nights)[:150]:
        one.unlink()
    seen = nights.night(INC)
    for one in documents(nights):
        one.unlink()
    unseen = nights.night(INC)

    assert nights.tarkeep.release_brake(seen) == ((seen,), (unseen,))

    assert list(nights.tarkeep.show_brake("laptop")) == [unseen]
    assert nights.tarkeep.plan_prune("laptop").verdict is PruneVerdict.PAUSED


def test_the_trash_is_kept_as_well(nights: Nights) -> None:
    gone = nights.prune()
    for one in documents(nights):
        one.unlink()
    id = nights.night(INC)
    nights.clock.advance(100 * NIGHT)
    nights.tarkeep.watch_clock()
    nights.tarkeep.accept_clock()

    report = nights.tarkeep.purge_trash()
    assert (report.purged, [one for one, _ in report.left]) == ([], sorted(gone))
    assert all("brake" in why for _, why in report.left)

    nights.tarkeep.release_brake(id)
    assert nights.tarkeep.purge_trash().purged == sorted(gone)


def test_the_brake_survives_a_lost_catalog(nights: Nights) -> None:
    for one in documents(nights):
        one.unlink()
    id = nights.night(INC)

    nights.catalog = MemoryCatalog()
    nights.restart()

    assert list(nights.tarkeep.show_brake("laptop")) == [id]


def test_holds_and_the_brake_do_not_disturb_each_other(nights: Nights) -> None:
    for one in documents(nights):
        one.unlink()
    id = nights.night(INC)
    made = nights.tarkeep.make_hold(id, "audit", "for the audit")
    assert made.suspicion is not None
    assert marks.decode(marks.encode(made)) == made

    nights.tarkeep.release_brake(id)

    assert nights.tarkeep.read_marks(id) == evolve(made, suspicion=None)


def test_the_same_bytes_again_are_not_judged_again(nights: Nights) -> None:
    """A script that sends everything every night must not put the brake on again."""
    for one in documents(nights):
        one.unlink()
    id = nights.night(INC)
    nights.tarkeep.release_brake(id)

    nights.tarkeep.receive(Offer(id), [nights.sent[-1][1]])

    assert nights.tarkeep.show_brake("laptop") == {}


def test_a_policy_may_do_without_the_brake(nights: Nights) -> None:
    for one in documents(nights)[:150]:
        one.unlink()
    nights.night(INC)
    nights.rules.book = RuleBook((("laptop", ProfileRules(retention=evolve(POLICY, brake=False))),))
    assert nights.tarkeep.plan_prune("laptop").verdict is PruneVerdict.READY
    for one in documents(nights):
        one.unlink()

    assert signs_of(nights, nights.night(INC)) == []


SUSPICIOUS = marks.encode(marks.Marks(suspicion=Suspicion(NOON, (Indication(Sign.GONE, 2, "all are gone"),))))


@pytest.mark.parametrize("raw", [b"", b"{}", SUSPICIOUS[:-9]])
@pytest.mark.parametrize("is_removed", [False, True])
def test_marks_that_cannot_be_read_stop_pruning(tmp_path: Path, raw: bytes, *, is_removed: bool) -> None:
    """They may have said that their archive is suspicious. Only mending their file helps: a release would lose it."""
    store = MemoryArchiveStore(FixedClock())
    nights = _machine(tmp_path, store, MemoryCatalog())
    nights.chain(3)
    gone = nights.prune()
    id, file = nights.sent[-1][0], store.archives[nights.sent[-1][0]]
    if is_removed:
        id, file = gone[0], _held_in_trash(store, gone[0])
    nights.chain(3)
    nights.chain(3)
    nights.clock.advance(8 * NIGHT)
    file.marks = raw

    plan = nights.tarkeep.plan_prune("laptop")
    assert (plan.verdict, [pause.kind for pause in plan.pauses]) == (PruneVerdict.PAUSED, [PauseKind.BRAKE])
    assert f"mend or remove the file {id.label}.marks" in plan.pauses[0].reason
    with pytest.raises(PrunePaused):
        nights.tarkeep.apply_prune("laptop", plan.digest, is_approved=True)
    assert nights.tarkeep.purge_trash().purged == []
    assert nights.tarkeep.show_brake("laptop") == {id: None}
    assert nights.tarkeep.release_brake(nights.sent[-1][0]) == ((), (id,))

    file.marks = None

    assert nights.tarkeep.show_brake("laptop") == {}
    nights.prune()
    assert nights.tarkeep.purge_trash().purged == sorted(gone)


def test_without_the_brake_damaged_marks_keep_their_archive_alone(tmp_path: Path) -> None:
    store = MemoryArchiveStore(FixedClock())
    nights = _machine(tmp_path, store, MemoryCatalog())
    nights.rules.book = RuleBook((("laptop", ProfileRules(retention=evolve(POLICY, brake=False))),))
    first = nights.sent[0][0]
    store.archives[first].marks = b""

    assert first not in nights.prune()


def test_what_was_suspicious_and_is_in_the_trash_can_be_released(tmp_path: Path) -> None:
    """It went there while the policy had no brake; otherwise nothing of the profile would ever go again."""
    (tmp_path / "machine").mkdir()
    nights = Nights(tmp_path / "machine", MemoryArchiveStore(FixedClock()))
    braked = nights.rules.book
    id = ArchiveId("laptop", FULL, "night1.tar.gz")
    for number, files in enumerate([300, 100, 100, 100, 100, 100]):
        content = make_targz({f"documents/{one}.txt": b"%d" % number for one in range(files)})
        nights.tarkeep.receive(Offer(evolve(id, name=f"night{number}.tar.gz")), [content])
        nights.clock.advance(NIGHT)
    nights.rules.book = RuleBook((("laptop", ProfileRules(retention=evolve(POLICY, brake=False))),))
    assert id in nights.prune()
    nights.rules.book = braked
    nights.clock.advance(8 * NIGHT)
    assert list(nights.tarkeep.show_brake("laptop")) == [id]
    assert nights.tarkeep.purge_trash().purged == []

    assert nights.tarkeep.release_brake(id) == ((id,), ())

    assert nights.tarkeep.show_brake("laptop") == {}
    assert id in nights.tarkeep.purge_trash().purged


def _held_in_trash(store: MemoryArchiveStore, id: ArchiveId) -> HeldArchive:
    held = store.in_trash[id].held
    assert held is not None
    return held


def test_another_tree_in_the_same_profile_is_not_compared(nights: Nights) -> None:
    other = make_targz({f"other/{number}.txt": b"one" for number in range(200)})
    id = ArchiveId("laptop", FULL, "other.tar.gz")
    nights.tarkeep.receive(Offer(id), [other])
    nights.clock.advance(NIGHT)
    nights.chain(2)

    assert nights.tarkeep.show_brake("laptop") == {}


def test_an_archive_whose_suspicion_cannot_be_noted_is_not_received(tmp_path: Path) -> None:
    """A program that encrypts everything also fills the disk: what it sends must not come in unnoticed."""
    full = Fault("seal with marks", InsufficientStorage(1, 0))
    store = FaultyStore(FixedClock(), fault=full)
    nights = _machine(tmp_path, store, MemoryCatalog())
    before = nights.stored()
    for one in documents(nights):
        one.unlink()

    with pytest.raises(InsufficientStorage):
        nights.night(INC)

    assert nights.stored() == before
    assert (nights.catalog.open_claims(), staging_is_empty(store)) == ([], True)


@pytest.mark.parametrize("is_lost", [False, True])
def test_what_is_suspicious_brakes_at_whatever_call_the_server_dies(tmp_path: Path, *, is_lost: bool) -> None:
    """The next server finds it marked or not at all, also if the catalog was lost with the one before."""
    before = MemoryArchiveStore(FixedClock())
    nights = _machine(tmp_path, before, MemoryCatalog())
    for one in documents(nights)[:150]:
        one.unlink()
    id, content = nights.dump(INC)
    ends: set[bool] = set()
    for step in count(1):
        store, catalog, fuse = reopened(before), MemoryCatalog(), Fuse(blows_at=step)
        assembled(store, catalog, nights.clock).adopt_archives()
        dying = assembled(fuse.around(store), fuse.around(catalog), nights.clock, rules=nights.rules)
        with suppress(Crash):
            dying.receive(Offer(id), [content])

        catalog = MemoryCatalog() if is_lost else catalog
        tarkeep = assembled(reopened(store), catalog, nights.clock, rules=nights.rules)
        tarkeep.recover()
        tarkeep.settle_trash()
        tarkeep.adopt_archives()
        is_stored = id in {archive.id for archive in all_archives(catalog)}
        assert list(tarkeep.show_brake("laptop")) == ([id] if is_stored else []), step
        assert (tarkeep.plan_prune("laptop").verdict is PruneVerdict.PAUSED) == is_stored
        ends.add(is_stored)
        if not fuse.blown:
            break
    assert ends == {False, True}


def test_an_archive_that_cannot_be_judged_is_received_all_the_same(tmp_path: Path) -> None:
    nights = _machine(
        tmp_path,
        MemoryArchiveStore(FixedClock()),
        FaultyCatalog(Fault("arrivals", BackendUnavailable("no connection"))),
    )
    assert nights.stored()[-1] == nights.sent[-1][0]


def test_there_must_be_something_to_look_at(nights: Nights) -> None:
    with pytest.raises(ProfileNotFound):
        nights.tarkeep.show_brake("nobody")
    with pytest.raises(ArchiveNotFound):
        nights.tarkeep.release_brake(NOBODY)
