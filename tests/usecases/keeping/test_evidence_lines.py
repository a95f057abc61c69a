"""What happens is in the evidence, in words that a rebuild can read; and where it cannot be written, that is told."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import timedelta
from pathlib import Path

import pytest
from attrs import evolve

from tarkeep.adapters.memory.store import MemoryArchiveStore
from tarkeep.adapters.memory.upkeep.evidence_log import MemoryEvidenceLog
from tarkeep.domain.drills.drill import DrillOutcome, DrillReport
from tarkeep.domain.errors.access import EvidenceNotFound, EvidenceNotWritten
from tarkeep.domain.errors.capacity import BackendUnavailable
from tarkeep.domain.evidence.entry import EvidenceEntry, EvidenceKind, entry_of
from tarkeep.domain.evidence.facts import MOST_READ, drill_in, read_in
from tarkeep.domain.jobs.job import JobReport
from tarkeep.domain.usecases.drills.judge_drill import ToldDrill
from tests.support.archives import make_targz
from tests.support.assembled import InMemory, offer, pieces
from tests.support.clocks import FixedClock
from tests.support.nights import Nights

CLOSED = "but the evidence of it could not be written: the evidence is not available"
VOID = CLOSED.replace(": ", ", so it does not count: ")


class ClosedEvidence(MemoryEvidenceLog):
    """An `EvidenceLog` that cannot be written."""

    def append(self, entry: EvidenceEntry) -> None:
        raise BackendUnavailable("evidence")


@pytest.fixture
def nights(tmp_path: Path) -> Nights:
    return Nights(tmp_path, MemoryArchiveStore(FixedClock()))


def work(nights: Nights | InMemory, job: str) -> JobReport:
    (found,) = [one for one in nights.tarkeep.run_due_jobs.jobs if one.name == job]
    return found.work(lambda: True)


def lines(nights: Nights | InMemory) -> Iterator[EvidenceEntry]:
    for month in nights.evidence.months():
        for line in nights.evidence.read(month):
            entry = entry_of(line)
            assert entry is not None
            yield entry


def of_kind(nights: Nights | InMemory, kind: EvidenceKind) -> list[EvidenceEntry]:
    return [entry for entry in lines(nights) if entry.kind is kind]


# -- scrub -----------------------------------------------------------------------------------------------------------


def test_a_run_of_the_scrub_and_what_it_read_right_are_lines() -> None:
    """One line names all archives; none of them was read before the time that it says."""
    memory = InMemory()
    sent = [
        memory.tarkeep.receive(offer(f"{name}.tar.gz", profile=name), pieces(make_targz())).archive
        for name in ("laptop", "web")
    ]
    memory.clock.advance(timedelta(days=40))
    began = memory.clock.now()
    work(memory, "scrub")

    (read,), (run,) = of_kind(memory, EvidenceKind.READ), of_kind(memory, EvidenceKind.SCRUB)
    assert list(read_in(read)) == [(archive.id, archive.digests.sha256[:16], began) for archive in sent]
    assert (run.told["due"], run.told["checked"], run.told["damaged"]) == (2, 2, 0)


def test_many_archives_are_few_lines() -> None:
    memory = InMemory()
    content = make_targz()
    for number in range(MOST_READ + 20):
        memory.tarkeep.receive(offer(f"{number}.tar.gz", profile=f"web{number % 3}"), pieces(content, 1 << 16))
    memory.clock.advance(timedelta(days=40))
    work(memory, "scrub")

    named = [id for entry in of_kind(memory, EvidenceKind.READ) for id, _, _ in read_in(entry)]
    assert len(of_kind(memory, EvidenceKind.READ)) == 2
    assert len(set(named)) == len(named) == MOST_READ + 20


def test_a_scrub_goes_on_without_evidence_and_tells() -> None:
    memory = InMemory(evidence=ClosedEvidence())
    for name in ("a.tar.gz", "b.tar.gz"):
        memory.tarkeep.receive(offer(name), pieces(make_targz()))
    memory.clock.advance(timedelta(days=40))
    report = work(memory, "scrub")

    assert report.counts["checked"] == 2
    assert [problem.text for problem in report.problems] == [
        "2 archives were read right, which is not in the evidence: the evidence is not available",
        "this run is not in the evidence: the evidence is not available",
    ]


# -- drills ----------------------------------------------------------------------------------------------------------


def test_a_drill_is_a_line_from_which_it_is_known_again(nights: Nights) -> None:
    """All of it but what tar said; a rehearsal by its weaker word."""
    nights.chain(2)
    work(nights, "rehearse")
    drill = nights.tarkeep.open_drill(lambda _: True, "me", "laptop")
    assert drill is not None
    told = ToldDrill(DrillReport(seconds=1.5, tar="tar 1.34", sandbox="bwrap", error="the disk is full"), 0)
    ended = nights.tarkeep.judge_drill(drill.id, "me", told, ())
    rehearsed, drilled = list(lines(nights))

    assert (rehearsed.kind, rehearsed.told["outcome"]) == (EvidenceKind.REHEARSED, "equal")
    assert (drilled.kind, drilled.told["outcome"], drilled.told["tar"]) == (EvidenceKind.DRILL, "failed", "tar 1.34")
    assert drill_in(drilled) == ended
    assert drill_in(rehearsed) == nights.tarkeep.list_drills(lambda _: True)[1]


def test_a_drill_without_evidence_stays_open(nights: Nights) -> None:
    """Nothing counts as drilled that is not on record; the client is told."""
    nights.chain(2)
    drill = nights.tarkeep.open_drill(lambda _: True, "me", "laptop")
    assert drill is not None
    judge = evolve(nights.tarkeep.judge_drill, evidence=ClosedEvidence())
    with pytest.raises(EvidenceNotWritten, match=f"the drill of laptop/.* ended failed, {VOID}"):
        judge(drill.id, "me", ToldDrill(DrillReport(error="x"), 0), ())

    assert nights.tarkeep.find_drill(drill.id, "me").outcome is DrillOutcome.OPEN


def test_a_rehearsal_without_evidence_is_told_and_stays_due(nights: Nights) -> None:
    nights.chain(2)
    nights.evidence = ClosedEvidence()
    nights.restart()
    first, again = work(nights, "rehearse"), work(nights, "rehearse")

    assert [(report.counts["rehearsed"], len(report.problems)) for report in (first, again)] == [(0, 1), (0, 1)]
    assert VOID in first.problems[0].text


# -- what goes, and who let it ---------------------------------------------------------------------------------------


def test_what_is_pruned_and_purged_is_a_line(nights: Nights) -> None:
    """With the plan, and all archives by name and digest."""
    nights.chain(1)
    for _ in range(4):
        nights.chain(1)
    digests = {f"{id.type.value}/{id.name}": nights.catalog.find(id).digests.sha256[:16] for id, _ in nights.sent}
    plan = nights.tarkeep.plan_prune("laptop").digest
    gone = nights.prune()
    nights.clock.advance(timedelta(days=30))
    work(nights, "purge")
    pruned, purged = list(lines(nights))

    named = {id.label: digests[id.label] for id in gone}
    assert gone
    assert (pruned.kind, pruned.told["plan"], pruned.told["who"]) == (EvidenceKind.PRUNED, plan, "host")
    assert (pruned.told["removed"], pruned.told["archives"]) == (len(gone), named)
    assert (purged.kind, purged.told["archives"]) == (EvidenceKind.PURGED, {"laptop": named})


def test_what_went_without_evidence_is_told(nights: Nights) -> None:
    """It is in the trash all the same; the job says so, and whoever asked for it is told, too."""
    for _ in range(5):
        nights.chain(1)
    apply = evolve(nights.tarkeep.apply_prune, evidence=ClosedEvidence())
    with pytest.raises(EvidenceNotWritten, match=f"2 archives of laptop moved to the trash, {CLOSED}"):
        apply("laptop", None)
    nights.clock.advance(timedelta(days=30))
    nights.evidence = ClosedEvidence()
    nights.restart()
    purged = work(nights, "purge")

    assert purged.counts["purged"] == 2
    assert [problem.text for problem in purged.problems] == [f"2 archives were removed for good, {CLOSED}"]


def test_releases_are_lines_with_who_asked(nights: Nights) -> None:
    """A hold here; and where it cannot be put on record, the hold is released and that is told."""
    (id,) = nights.chain(1)
    for hold in ("audit", "move"):
        nights.tarkeep.make_hold(id, hold, "because")
    nights.tarkeep.release_hold(id, "audit", "a-token")
    with pytest.raises(EvidenceNotWritten, match=f"the hold move of laptop/FULL/.* was released, {CLOSED}"):
        evolve(nights.tarkeep.release_hold, evidence=ClosedEvidence())(id, "move")
    (line,) = lines(nights)

    assert line.kind is EvidenceKind.RELEASED
    assert line.told == {"what": "hold audit", "profile": "laptop", "who": "a-token", "archives": [id.label]}
    assert nights.tarkeep.read_marks(id).holds == ()


def test_a_month_without_evidence_is_told(nights: Nights) -> None:
    with pytest.raises(EvidenceNotFound, match="there is no evidence of 2026-01, nor of any other month"):
        nights.tarkeep.show_evidence("2026-01")
