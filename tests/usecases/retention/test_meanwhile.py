"""What comes to a profile, or is read or brought back, while a plan for it is carried out."""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from datetime import timedelta
from typing import Any

import pytest
from attrs import define, evolve, field

from tarkeep.domain.archives.archive import Lineage, Offer
from tarkeep.domain.errors.retention import ArchiveRemoved, PlanChanged
from tarkeep.domain.identity.archive_id import ArchiveId, BackupType
from tarkeep.domain.ports.system import NameLocks
from tarkeep.domain.retention.decisions import PruneDecision, PrunePlan
from tarkeep.domain.retention.suspicion import FEW_FILES
from tests.support.nights import Nights

FULL, INC = BackupType.FULL, BackupType.INC
LEFT = "a5" * 32
"""The digest of the snapshot file that the old FULL left behind."""


def carried_out(nights: Nights, tell: Any) -> list[ArchiveId]:
    """Carry out the present plan; *tell* as for `ApplyPrune`. Returns what went."""
    plan = nights.tarkeep.plan_prune("laptop")
    return [one.archive.id for one in nights.tarkeep.apply_prune("laptop", plan.digest, tell=tell).removed]


def elsewhere(work: Callable[[], object]) -> None:
    """Do *work* in another thread, as another request does. It is given up if it waits for what is carried out here."""
    thread = threading.Thread(target=work)
    thread.start()
    thread.join(10)


def test_what_arrives_stops_the_removal_of_what_it_builds_on(nights: Nights) -> None:
    """The INC was made from the old FULL, and is received between two removals."""
    full = nights.night(FULL, lineage=Lineage(snapshot_after=LEFT))
    dumped, content = nights.dump(INC)
    late = Offer(evolve(dumped, name="late.tar.gz"), lineage=Lineage((FULL, full.name), LEFT))
    first = nights.night(INC)
    new = nights.chain(3)
    told: list[ArchiveId] = []

    def tell(removed: PruneDecision, _plan: PrunePlan) -> None:
        told.append(removed.archive.id)
        elsewhere(lambda: nights.tarkeep.receive(late, [content]))

    with pytest.raises(PlanChanged, match="1 archive had been moved to the trash by then"):
        carried_out(nights, tell)

    assert told == [first]
    assert nights.stored() == [full, *new, late.id]
    assert nights.restored(late.id)


def test_what_arrives_and_changes_nothing_stops_nothing(nights: Nights) -> None:
    """A server with many arrivals is pruned all the same."""
    old, new = nights.chain(3), nights.chain(3)
    next_night, content = nights.dump(FULL)
    came: list[object] = []

    def tell(_removed: PruneDecision, _plan: PrunePlan) -> None:
        if not came:
            came.append(nights.tarkeep.receive(Offer(next_night), [content]))

    gone = carried_out(nights, tell)

    assert gone == old[::-1]
    assert nights.stored() == [*new, next_night]


def test_what_arrives_and_is_suspicious_stops_the_rest(nights: Nights) -> None:
    """The brake does not wait for the next plan: what goes meanwhile may be the last good point."""
    files = [nights.root / f"document{number}" for number in range(FEW_FILES + 10)]
    for file in files:
        file.write_bytes(b"text")
    old, new = nights.chain(3), nights.chain(3)
    for file in files:
        file.unlink()
    id, content = nights.dump(INC)
    told: list[ArchiveId] = []

    def tell(removed: PruneDecision, _plan: PrunePlan) -> None:
        told.append(removed.archive.id)
        elsewhere(lambda: nights.tarkeep.receive(Offer(id), [content]))

    with pytest.raises(PlanChanged, match="1 archive had been moved to the trash by then"):
        carried_out(nights, tell)

    assert list(nights.tarkeep.show_brake("laptop")) == [id]
    assert told == old[:1:-1]
    assert nights.stored() == [*old[:2], *new, id]


@define
class _Announced:
    """`NameLocks` that tell when somebody asks for a profile."""

    names: NameLocks
    asked: threading.Event = field(factory=threading.Event)

    @contextmanager
    def hold_profile(self, profile: str) -> Iterator[None]:
        self.asked.set()
        with self.names.hold_profile(profile):
            yield

    def hold(self, id: ArchiveId, patience: timedelta) -> Any:
        return self.names.hold(id, patience)


def test_nothing_comes_back_while_a_plan_is_carried_out(nights: Nights) -> None:
    """Else an archive came back whose parent goes a moment later."""
    old, _ = nights.chain(2), nights.chain(3)
    names = _Announced(nights.tarkeep.undelete.names)
    undelete = evolve(nights.tarkeep.undelete, names=names)
    back: list[tuple[ArchiveId, ...]] = []
    thread = threading.Thread(target=lambda: back.append(undelete(old[1])))

    def tell(removed: PruneDecision, _plan: PrunePlan) -> None:
        if removed.archive.id == old[1]:
            thread.start()
            assert names.asked.wait(20)

    assert carried_out(nights, tell) == old[::-1]
    thread.join(20)

    assert back == [tuple(old)]
    assert nights.restored(old[1])


def test_what_somebody_began_to_read_meanwhile_stays(nights: Nights) -> None:
    nights.file_bytes = 150_000
    old, _ = nights.chain(2), nights.chain(3)
    whole = nights.restored(old[0])
    reading = nights.tarkeep.restore_tar(nights.tarkeep.open_point("laptop", old[0]))
    begun: list[bytes] = []

    def tell(_removed: PruneDecision, _plan: PrunePlan) -> None:
        begun.append(next(reading))

    with pytest.raises(PlanChanged, match="1 archive"):
        carried_out(nights, tell)

    assert begun[0] + b"".join(reading) == whole
    assert nights.stored()[0] == old[0]


def test_who_comes_too_late_to_read_is_told_before_the_first_byte(nights: Nights) -> None:
    old, _ = nights.chain(2), nights.chain(3)
    reading = nights.tarkeep.restore_tar(nights.tarkeep.open_point("laptop", old[1]))
    nights.prune()

    with pytest.raises(ArchiveRemoved, match="removed by the retention policy"):
        next(reading)
