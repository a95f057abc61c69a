"""
Rehearsing a restore inside the server, where no machine runs drills: weaker than a drill, and never shown as one.

The whole tree of the newest point is put together as for `restore.tar` and read to its end, to nowhere. So every
archive is inflated, every name has to be there once, and every file with as many bytes as its archive holds of it.
Whether tar makes the same of it is not tried.
"""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Iterable, Set

from attrs import define, field, frozen

from ...drills.choice import DrillLimits, next_profile
from ...drills.comparison import NameDiffers
from ...drills.drill import Drill, DrillKind, DrillOutcome, DrillReport, DrillWay
from ...drills.manifest import ManifestLine
from ...errors.access import EvidenceNotWritten
from ...errors.archives import ProfileNotFound
from ...evidence.facts import of_drill
from ...identity.archive_id import ArchiveId
from ...jobs.job import GoOn, JobReport, Remark
from ...ports.catalog import Catalog
from ...ports.inspection import Inspector
from ...ports.system import Clock, IdSource
from ...ports.unpacking import Packer
from ...ports.upkeep.drills import DrillTable
from ...ports.upkeep.evidence import EvidenceLog
from ...ports.upkeep.statuses import StatusTable
from ...profiles.rules import Rules
from ...tar.members import Member, MemberRecord, MemberType
from ...tar.paths import canonical
from ...tar.read_headers import read_to_show
from ...tarkeep_error import TarkeepError
from ...text.counted import counted
from ..access.put_on_record import put_on_record
from ..restoring.load_points import LoadPoints
from ..restoring.open_point import OpenedPoint, OpenPoint
from ..restoring.restore_tar import RestoreTar
from .expected import ExpectedNames
from .open_drill import drilled_archives

REHEARSE = "rehearse"
"""The name of the job."""

_ALL = 1 << 128


@define
class _Sum:
    """A sum over names in any order: two trees have the same one only if they have the same names."""

    linked: Set[bytes]
    """Paths of names that are one file with others: which of them has the bytes is of no account."""
    names: int = 0
    files_bytes: int = 0
    total: int = 0
    _directories: set[bytes] = field(factory=set)

    def expect(self, line: ManifestLine) -> None:
        if line.type is not MemberType.DIRECTORY:
            self._add(line.path, line.type, line.size_bytes, line.content or b"")
        elif line.mode is not None:  # else no archive has it
            self._add_directory(line.path)

    def found(self, member: Member) -> None:
        path = canonical(member.path)
        if member.type is MemberType.DIRECTORY:
            self._add_directory(path)
            return
        size = member.size_bytes if member.type is MemberType.FILE else None
        self._add(path, member.type, size, member.link if member.type is MemberType.SYMLINK else b"")

    def _add_directory(self, path: bytes) -> None:
        """Directories with contents come twice."""
        if path not in self._directories:
            self._directories.add(path)
            self._add(path, MemberType.DIRECTORY, None, b"")

    def _add(self, path: bytes, type: MemberType, size_bytes: int | None, link: bytes) -> None:
        self.names += 1
        self.files_bytes += size_bytes or 0
        told = b"" if path in self.linked else f"{type.value} {size_bytes} ".encode() + link
        digest = hashlib.blake2b(path + b"\0" + told, digest_size=16).digest()
        self.total = (self.total + int.from_bytes(digest, "big")) % _ALL


@frozen
class RehearseProfiles:
    """Rehearse the newest point of each profile that is due, unless some machine runs drills."""

    catalog: Catalog
    table: DrillTable
    statuses: StatusTable
    load_points: LoadPoints
    open_point: OpenPoint
    restore_tar: RestoreTar
    expected: ExpectedNames
    inspector: Inspector
    pack: Packer
    rules: Rules
    clock: Clock
    ids: IdSource
    limits: DrillLimits
    evidence: EvidenceLog

    def __call__(self, go_on: GoOn) -> JobReport:
        """
        Rehearse one profile after the other, while *go_on* says so.

        Raises:
            BackendUnavailable: the catalog cannot be read.
        """
        if self.table.recent(kind=DrillKind.DRILL, limit=1):
            return JobReport("nothing was rehearsed: some machine runs drills", {"rehearsed": 0}, did_something=False)
        now, rehearsed, is_stopped = self.clock.now(), 0, False
        problems: list[Remark] = []
        last = self.table.latest(DrillKind.REHEARSAL)
        waiting = sorted({row.profile for row in self.catalog.totals()})
        due_before = {one: self.limits.every_of(one, self.rules).due_before(now) for one in waiting}
        while (profile := next_profile(waiting, last, due_before)) is not None:
            if not go_on():
                is_stopped = True
                break
            waiting.remove(profile)
            try:
                drill = self._rehearsed(profile, go_on)
            except EvidenceNotWritten as error:  # it stays due
                problems.append(Remark(str(error), profile))
                continue
            if drill is None:
                continue
            rehearsed += 1
            if drill.outcome is not DrillOutcome.EQUAL:
                problems.append(Remark(f"the rehearsal of {drill.point.label} {_came_to(drill)}", profile))
        told = f"{counted(rehearsed, 'profile')} rehearsed" if rehearsed else "no profile was due"
        return JobReport(told, {"rehearsed": rehearsed}, rehearsed > 0, (), tuple(problems), is_stopped)

    def _rehearsed(self, profile: str, go_on: GoOn) -> Drill | None:
        """
        The rehearsal as it ended; None if nothing restores, or it was stopped.

        Raises:
            EvidenceNotWritten: what came of it is not in the evidence, and does not count.
        """
        try:
            point = self._newest(profile)
        except ProfileNotFound:
            return None
        if point is None:
            return None
        began = self.clock.monotonic()
        try:
            opened = self.open_point(profile, point)
            drill = Drill(
                self.ids.new(),
                DrillKind.REHEARSAL,
                point,
                0,
                DrillWay.MERGED,
                drilled_archives(opened),
                self.clock.now(),
                "host",
                opened.way.is_exact,
            )
            self.table.begin(drill)
        except TarkeepError:  # what does not open does not restore, which the light of the profile says
            return None
        try:
            sums = self._sums(opened, go_on)
        except TarkeepError as error:
            outcome, report = DrillOutcome.FAILED, DrillReport(error=str(error))
        else:
            if sums is None:
                return None
            wanted, found = sums
            is_equal = wanted.total == found.total and wanted.names == found.names > 0
            outcome = DrillOutcome.EQUAL if is_equal else DrillOutcome.DIFFERENT
            what = NameDiffers(b"", "is not put together as its archives say")
            report = DrillReport(
                wanted.names,
                found.names,
                found.files_bytes,
                (self.clock.monotonic() - began).total_seconds(),
                0 if is_equal else 1,
                () if is_equal else (what,),
                ("contents", "what tar makes of it"),
            )
        ended = drill.ended(outcome, self.clock.now(), report)
        what_came = f"the rehearsal of {point} ended {outcome.value}"
        put_on_record(of_drill(ended), self.evidence, what_came, is_void=True)
        self.table.end(ended)
        self.statuses.forget([profile])
        return ended

    def _newest(self, profile: str) -> ArchiveId | None:
        places = self.load_points(profile).places()
        restorable = [place for place in places if place.standing is not None and place.standing.is_restorable]
        return restorable[-1].archive.id if restorable else None

    def _sums(self, opened: OpenedPoint, go_on: GoOn) -> tuple[_Sum, _Sum] | None:
        """What there must be, and what there was; None if it was stopped."""
        linked = frozenset(
            path
            for taken in opened.tree.taken()
            for paths in taken.elsewhere.values()
            if len(paths) > 1
            for path in paths
        )
        wanted, found = _Sum(linked), _Sum(linked)
        for line in self.expected.outlined(opened):
            wanted.expect(line)

        def record(records: Iterable[MemberRecord]) -> None:
            for one in records:
                found.found(read_to_show(one))

        return (wanted, found) if self._passed(opened, record, go_on) else None

    def _passed(self, opened: OpenedPoint, record: Callable[[Iterable[MemberRecord]], None], go_on: GoOn) -> bool:
        with self.inspector.start(record) as inspection:
            for piece in self.pack(self.restore_tar(opened)):
                if not go_on():
                    return False
                inspection.feed(piece)
            inspection.finish()
        return True


def _came_to(drill: Drill) -> str:
    if drill.outcome is DrillOutcome.FAILED:
        return f"failed: {drill.report.error}"
    return "did not give the names and sizes that its archives have"
