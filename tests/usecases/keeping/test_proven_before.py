"""A rebuild takes from the evidence what a lost catalog knew of scrubs and drills, but nothing that is doubtful."""

from __future__ import annotations

from collections.abc import Callable
from datetime import timedelta
from pathlib import Path

import pytest
from attrs import define, evolve

from tarkeep.adapters.filesystem.chained.evidence_log import FileEvidenceLog
from tarkeep.adapters.memory.catalog import MemoryCatalog
from tarkeep.domain.archives import sidecar
from tarkeep.domain.archives.archive import BackupArchive
from tarkeep.domain.drills.drill import DrillKind
from tarkeep.domain.evidence.entry import EvidenceEntry, EvidenceKind, EvidencePlace, entry_of
from tarkeep.domain.scrubbing.unread import Unread
from tarkeep.domain.usecases.keeping.rebuild import RebuildReport
from tests.support.archives import make_targz
from tests.support.assembled import InMemory, offer, pieces


@define
class Proven:
    """A server in memory with evidence in files, which has read both its archives and rehearsed."""

    memory: InMemory
    archives: list[BackupArchive]

    def lose_the_catalog(self) -> RebuildReport:
        """A server over the same store and evidence, with a new catalog, which is rebuilt."""
        catalog = MemoryCatalog()
        self.memory = InMemory(self.memory.clock, catalog, store=self.memory.store, evidence=self.memory.evidence)
        return self.memory.tarkeep.rebuild()

    def known(self) -> list[Unread]:
        return [self.memory.catalog.scrubs.find(archive.id) for archive in self.archives]

    def change_evidence(self, change: Callable[[bytes], bytes]) -> None:
        assert isinstance(self.memory.evidence, FileEvidenceLog)
        (file,) = self.memory.evidence.folder.iterdir()
        file.write_bytes(change(file.read_bytes()))


def run(memory: InMemory, job: str) -> None:
    (found,) = [one for one in memory.tarkeep.run_due_jobs.jobs if one.name == job]
    found.work(lambda: True)


@pytest.fixture
def proven(tmp_path: Path) -> Proven:
    memory = InMemory(evidence=FileEvidenceLog(tmp_path))
    archives = [
        memory.tarkeep.receive(offer(f"{name}.tar.gz"), pieces(make_targz({"a": name.encode()}))).archive
        for name in ("one", "two")
    ]
    memory.clock.advance(timedelta(days=40))
    run(memory, "scrub")
    run(memory, "rehearse")
    memory.clock.advance(timedelta(days=1))
    return Proven(memory, archives)


def test_when_archives_were_right_is_known_again_and_the_last_drill(proven: Proven) -> None:
    """So nothing is read before its time, and the profile's status has its rehearsal."""
    before = [one.verified_at for one in proven.known()]
    drill = proven.memory.tarkeep.list_drills(lambda _: True)
    report = proven.lose_the_catalog()

    assert [one.verified_at for one in proven.known()] == before != [None, None]
    assert (report.recalled.archives, report.recalled.drills, report.is_good) == (2, 1, True)
    drills = proven.memory.tarkeep.list_drills
    assert drills.table.latest(DrillKind.REHEARSAL) == {"document": drill[0]}
    assert proven.memory.tarkeep.rebuild().recalled.archives == 0  # what is known stays


def test_bytes_that_came_since_or_others_prove_nothing(proven: Proven) -> None:
    """One was received later, the other has another digest."""
    held = proven.memory.store.archives
    first, second = (held[archive.id] for archive in proven.archives)
    later = evolve(proven.archives[0], received_at=proven.memory.clock.now())
    first.sidecar = sidecar.encode(later)
    digest = proven.archives[1].digests.sha256
    other = evolve(proven.archives[1], digests=evolve(proven.archives[1].digests, sha256=digest[::-1]))
    second.sidecar = sidecar.encode(other)
    report = proven.lose_the_catalog()

    assert [one.verified_at for one in proven.known()] == [None, None]
    assert report.recalled.archives == 0


def test_evidence_that_was_changed_proves_nothing(proven: Proven) -> None:
    """It may say anything; and the report is no good one, so that somebody looks."""
    proven.change_evidence(lambda text: text.replace(b'"kind": "read"', b'"kind": "read" '))
    report = proven.lose_the_catalog()

    assert [one.verified_at for one in proven.known()] == [None, None]
    assert (report.recalled.broken, report.is_good) == (EvidencePlace(proven.memory.evidence.months()[0], 2), False)


def test_lines_that_make_no_sense_are_passed_over(proven: Proven) -> None:
    """Such as those of a later version, or of a name that is none; the others count."""
    log = proven.memory.evidence
    month = log.months()[-1]
    kept = list(log.read(month))
    proven.change_evidence(lambda _: b"")
    now = proven.memory.clock.now()
    odd = {"since": "soon", "archives": {"document": {"FULL/one.tar.gz": "0" * 16}}}
    named = {"since": "2026-12-01T00:00:00Z", "archives": {"../x": {"FULL/a": "0" * 16}, "b": 1, "c": {"x": None}}}
    for told in (odd, named):
        log.append(EvidenceEntry(now, EvidenceKind.READ, told))
    for line in kept:
        entry = entry_of(line)
        assert entry is not None
        log.append(entry)
    log.append(EvidenceEntry(now, EvidenceKind.DRILL, {"archives": [1], "profile": "document"}))
    report = proven.lose_the_catalog()

    assert report.recalled.archives == 2
