"""
Judging a drill: its report against what the server's own reading of the archives says the tree must be.

The report's first line says how the restore went; a line for each name follows. Nothing of it is believed but what lies
in the restored tree: whether that is right is decided here.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from statistics import median

from attrs import evolve, frozen

from ...drills.comparison import Judgement, compare
from ...drills.drill import Drill, DrillKind, DrillOutcome, DrillReport, DrillWay
from ...drills.manifest import ManifestLine, read
from ...errors.drills import DrillNotFound, ReportInvalid
from ...errors.restoring import PathNotFound, PointNotFound, PointNotRestorable
from ...evidence.facts import of_drill
from ...ports.system import Clock, Turns
from ...ports.upkeep.drills import DrillTable
from ...ports.upkeep.evidence import EvidenceLog
from ...ports.upkeep.statuses import StatusTable
from ...tar.members import MemberType
from ...text.counted import counted
from ..access.put_on_record import put_on_record
from ..restoring.open_point import OpenPoint
from .expected import ExpectedNames
from .open_drill import drilled_archives

_NEVER_COMPARED = ("owners", "extended attributes and ACLs")
_FOLDER_TIMES = "times of directories, which tar changes when it adds to them"


@frozen
class ToldDrill:
    """What a client says of a restore: *report*, and how many lines of names follow."""

    report: DrillReport
    names: int


@frozen
class FindDrill:
    """Find the drill that a report is for, before the report is read."""

    table: DrillTable

    def __call__(self, id: str, who: str | None) -> Drill:
        """
        The drill *id* of *who*, which is under way.

        Raises:
            DrillNotFound: there is none.
        """
        drill = self.table.find(id)
        if drill.outcome is not DrillOutcome.OPEN or drill.who != who or drill.kind is not DrillKind.DRILL:
            raise DrillNotFound(id)
        return drill


@frozen
class JudgeDrill:
    """Compare what a drill restored with what there should be, and note the result."""

    find: FindDrill
    table: DrillTable
    statuses: StatusTable
    open_point: OpenPoint
    expected: ExpectedNames
    turns: Turns
    clock: Clock
    evidence: EvidenceLog

    def __call__(self, id: str, who: str | None, told: ToldDrill, lines: Iterable[bytes]) -> Drill:
        """
        The drill *id* as it ended, by what *told* and *lines*, which begin with the second of the report, say.

        Raises:
            DrillNotFound: it is unknown, has ended, or is not one of *who*.
            ReportInvalid: the report is malformed; the drill stays open.
            ArchiveCorrupt, BackendUnavailable: an archive could not be read; the drill stays open.
            EvidenceNotWritten: what came of it is not in the evidence; the drill stays open.
        """
        drill = self.find(id, who)
        ended = self._ended(drill, told, read(lines, first=2))
        # first the evidence: nothing counts as drilled without it
        what = f"the drill of {drill.point} ended {ended.outcome.value}"
        put_on_record(of_drill(ended), self.evidence, what, is_void=True)
        self.table.end(ended)
        self.statuses.forget([drill.profile])
        return ended

    def _ended(self, drill: Drill, told: ToldDrill, lines: Iterator[ManifestLine]) -> Drill:
        report = evolve(told.report, not_compared=_NEVER_COMPARED)
        if report.error:
            for _ in lines:
                pass
            return drill.ended(DrillOutcome.FAILED, self.clock.now(), report)
        try:
            judgement = self._judged(drill, told, lines)
        except (PointNotFound, PointNotRestorable, PathNotFound) as error:
            why = f"the point cannot be compared any more: {error}"
            return drill.ended(DrillOutcome.FAILED, self.clock.now(), evolve(report, error=why))
        has_folder_times = _has_folder_times(drill)
        left_out = [
            counted(number, what.removesuffix("s")) if what == "devices" else f"{number} {what}"
            for what, number in judgement.left_out.items()
            if has_folder_times or what != "times"
        ]
        report = evolve(
            report,
            expected=judgement.expected,
            names=judgement.observed,
            restored_bytes=judgement.observed_bytes,
            different=judgement.different,
            differences=judgement.differences,
            not_compared=(*_NEVER_COMPARED, *left_out, *(() if has_folder_times else (_FOLDER_TIMES,))),
        )
        outcome = DrillOutcome.EQUAL if judgement.is_equal else DrillOutcome.DIFFERENT
        return drill.ended(outcome, self.clock.now(), report)

    def _judged(self, drill: Drill, told: ToldDrill, lines: Iterator[ManifestLine]) -> Judgement:
        with self.turns.take("judging a drill"):
            opened = self.open_point(drill.profile, drill.point)
            if drilled_archives(opened) != drill.archives:
                raise PointNotRestorable(drill.point, ("its archives are others than when the drill began",))
            wanted = self.expected.of(opened, drill.folders, with_folder_times=_has_folder_times(drill))
            counted_lines = _Counted(lines)
            judgement = compare(wanted, counted_lines, is_beside=_beside(drill, opened.tree.root < 0))
        if counted_lines.count != told.names:
            why = f"is missing: {told.names} names were announced, and {counted_lines.count} came"
            raise ReportInvalid(counted_lines.count + 2, why)
        return judgement


class _Counted:
    def __init__(self, lines: Iterator[ManifestLine]) -> None:
        self._lines = lines
        self.count = 0

    def __iter__(self) -> Iterator[ManifestLine]:
        for line in self._lines:
            self.count += 1
            yield line


def _has_folder_times(drill: Drill) -> bool:
    """Whether the times of directories are those in the archives: plain ones lack the directories that they change."""
    return drill.is_exact or drill.way is DrillWay.MERGED


def _beside(drill: Drill, has_no_root: bool) -> Callable[[ManifestLine], bool]:
    """Whether a line is that of a directory which is there because something else has to be in it."""

    def is_beside(line: ManifestLine) -> bool:
        if line.type is not MemberType.DIRECTORY:
            return False
        if not line.path:
            return has_no_root or bool(drill.folders)
        return any(folder.startswith(line.path + b"/") for folder in drill.folders)

    return is_beside


@frozen
class MeasureRestores:
    """Say how fast points restore, by what drills have measured."""

    table: DrillTable

    def __call__(self, profile: str) -> float | None:
        """
        Stored bytes per second: of the last drill of *profile* that restored a whole point, or else the median of those
        of other profiles; None if nothing was measured.
        """
        for drill in self.table.recent(profile, kind=DrillKind.DRILL):
            if drill.rate is not None:
                return drill.rate
        others = [drill.rate for drill in self.table.latest(DrillKind.DRILL, equal_only=True).values()]
        measured = [rate for rate in others if rate is not None]
        return median(measured) if measured else None


@frozen
class ListDrills:
    """Show drills and rehearsals."""

    table: DrillTable

    def __call__(self, sees: Callable[[str], bool], profile: str | None = None, limit: int = 100) -> list[Drill]:
        """At most *limit* of the last ones of the profiles that *sees* accepts, or of *profile*, the newest first."""
        found = self.table.recent(profile, limit=limit if profile is not None else 10 * limit)
        return [drill for drill in found if sees(drill.profile)][:limit]
