"""
Reading again what was not read for long: the job that finds damage while another copy may still exist.

The rule: what is wrong is durable at once, what is right within a second, so a run that is killed has lost the archives
under way and a second of others, which are read once more. Outside the window nothing is begun but what somebody wants
to be read; what is under way then is read to its end, since the largest archives might never be read otherwise.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from datetime import datetime, timedelta

from attrs import define, evolve, field, frozen

from ...evidence.facts import MOST_READ, of_reading, of_scrub
from ...identity.archive_id import ArchiveId
from ...jobs.job import GoOn, JobReport, Remark
from ...ports.system import Clock
from ...ports.upkeep.evidence import EvidenceLog
from ...ports.upkeep.scrubbing import Readers
from ...ports.upkeep.scrubs import ScrubTable
from ...scrubbing.account import ScrubAccount
from ...scrubbing.pace import Window
from ...scrubbing.unread import FoundRight, ScrubEvery, Unread
from ...tarkeep_error import TarkeepError
from ...text.counted import counted
from .scrub_archive import ScrubArchive, Scrubbed

SMALL_BYTES = 1 << 20
_AT_ONCE = 2048
_BYTES_AT_ONCE = 16 << 30
"""What comes next is looked up again after so many bytes: somebody may want an archive to be read before the others."""
_NOTED_EVERY = timedelta(seconds=1)
_ON_RECORD_EVERY = timedelta(minutes=10)
_MOST_LEFT = 100
"""After so many archives that cannot be read now, the store is taken to be unavailable."""


@define
class _ScrubRun:
    account: ScrubAccount
    is_stopped: bool = False
    passed: set[ArchiveId] = field(factory=set)
    """What was looked at in this run, and is still due."""
    left: int = 0
    right: list[FoundRight] = field(factory=list)
    """What is still to be noted."""
    noted_at: timedelta = timedelta()
    proven: list[FoundRight] = field(factory=list)
    """What is noted, and still to be put on record, since *recorded_at*."""
    recorded_at: timedelta = timedelta()
    unrecorded: int = 0
    """How many of these could not be put on record, for the reason *why_not*."""
    why_not: str = ""

    def enter(self, scrubbed: Scrubbed) -> None:
        if scrubbed.is_due_again or scrubbed.findings:
            self.passed.add(scrubbed.id)
        if scrubbed.left:
            self.left += 1
            named = f"{scrubbed.id.type.value}/{scrubbed.id.name}"
            self.account.left.append(Remark(f"{named} could not be read now: {scrubbed.left}", scrubbed.id.profile))
        elif not scrubbed.is_gone:
            self.account.enter(scrubbed.size_bytes, scrubbed.findings)
        if scrubbed.right is not None:
            self.right.append(scrubbed.right)


@frozen
class ScrubArchives:
    """Read every archive that is due, what may be damaged first."""

    table: ScrubTable
    scrub: ScrubArchive
    readers: Readers
    clock: Clock
    evidence: EvidenceLog
    every: ScrubEvery = field(factory=ScrubEvery)
    window: Window | None = None

    def __call__(self, go_on: GoOn) -> JobReport:
        """
        Read archives until none is due, or the window is over.

        Raises:
            BackendUnavailable, CatalogBusy: the catalog cannot be asked what is due.
        """
        now = self.clock.now()
        before = self.every.due_before(now)
        run = _ScrubRun(ScrubAccount(due=self.table.count_due(before)), recorded_at=self.clock.monotonic())
        while not run.is_stopped and run.left < _MOST_LEFT and (batch := self._batch(before, run)):
            try:
                for scrubbed in self._each(batch, run):
                    run.is_stopped = run.is_stopped or not go_on()
                    if scrubbed is not None:
                        run.enter(scrubbed)
                    if self.clock.monotonic() >= run.noted_at + _NOTED_EVERY:
                        self._note(run)
            finally:
                self._note(run)
        self.table.forget_gone()
        behind = self.table.unread_since(self.every.behind_before(now))
        self._put_on_record(run, all_of_it=True)
        return self._recorded(run.account.report(behind, self.table.count_due(before), is_stopped=run.is_stopped), run)

    def _recorded(self, report: JobReport, run: _ScrubRun) -> JobReport:
        """*report*, once it is in the evidence; with a problem if that, or what was read right, could not be added."""
        problems = []
        if run.unrecorded:
            those = counted(run.unrecorded, "archive was", "archives were")
            problems.append(Remark(f"{those} read right, which is not in the evidence: {run.why_not}"))
        try:
            self.evidence.append(of_scrub(self.clock.now(), report))
        except TarkeepError as error:
            problems.append(Remark(f"this run is not in the evidence: {error}"))
        return evolve(report, problems=(*report.problems, *problems))

    def _put_on_record(self, run: _ScrubRun, *, all_of_it: bool) -> None:
        """Add what was read right to the evidence, in full lines or *all_of_it*; a run goes on without, and tells."""
        if all_of_it:
            run.recorded_at = self.clock.monotonic()
        while len(run.proven) >= MOST_READ or (all_of_it and run.proven):
            found, run.proven = run.proven[:MOST_READ], run.proven[MOST_READ:]
            try:
                self.evidence.append(of_reading(self.clock.now(), found))
            except TarkeepError as error:
                run.unrecorded += len(found)
                run.why_not = str(error)

    def _note(self, run: _ScrubRun) -> None:
        """Note what was found right; if that fails, it is read again by another run."""
        found, run.right, run.noted_at = run.right, [], self.clock.monotonic()
        if not found:
            return
        try:
            self.table.note_right(found)
        except TarkeepError as error:
            run.left += 1
            run.passed.update(one.archive.id for one in found)
            run.account.left.append(Remark(f"what is right could not be noted: {error}"))
            return
        run.proven += found
        self._put_on_record(run, all_of_it=self.clock.monotonic() >= run.recorded_at + _ON_RECORD_EVERY)

    def _batch(self, before: datetime, run: _ScrubRun) -> list[Unread]:
        """The archives that come next."""
        limit = _AT_ONCE + len(run.passed)
        found = self.table.due(before, limit=limit, wanted_only=not self._is_open())
        room = _BYTES_AT_ONCE
        batch = []
        for one in found:
            if one.archive.id not in run.passed and room > 0:
                batch.append(one)
                room -= one.archive.size_bytes
        return batch

    def _each(self, batch: list[Unread], run: _ScrubRun) -> Iterator[Scrubbed | None]:
        def read(those: Sequence[Unread]) -> Iterator[Scrubbed | None]:
            with self.scrub.store.rereading([one.archive.id for one in those]) as reading:
                for unread in those:
                    if run.is_stopped or not (unread.is_wanted or self._is_open()):
                        return
                    yield self.scrub(unread, lambda: not run.is_stopped, reading)

        large = [[one] for one in batch if one.archive.size_bytes >= SMALL_BYTES]
        small = [one for one in batch if one.archive.size_bytes < SMALL_BYTES]
        return self.readers.each(read, large, [small] if small else [])

    def _is_open(self) -> bool:
        return self.window is None or self.window.contains(self.clock.now())
