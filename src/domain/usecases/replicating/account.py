"""What a run of copying has done so far, and what a person should know of it."""

from __future__ import annotations

from attrs import define, field

from ...jobs.job import MOST_REMARKS, JobReport, Remark
from ...text.counted import counted
from ...text.sizes import human_size


@define
class Remarks:
    """Remarks, of which no more are kept than are shown, however many there are."""

    count: int = 0
    _kept: list[Remark] = field(factory=list)

    def add(self, text: str, profile: str | None = None) -> None:
        self.count += 1
        if len(self._kept) < MOST_REMARKS - 1:
            self._kept.append(Remark(text, profile))

    def all(self) -> tuple[Remark, ...]:
        more = self.count - len(self._kept)
        return (*self._kept, Remark(f"and {more} more")) if more else tuple(self._kept)


@define
class CopyAccount:
    """*seen* counts the archives of the other server, *there* is its address for people; *differing* are conflicts."""

    there: str
    seen: int = 0
    copied: int = 0
    copied_bytes: int = 0
    healed: int = 0
    snapshots: int = 0
    pruned: int = 0
    differing: Remarks = field(factory=Remarks)
    problems: Remarks = field(factory=Remarks)

    def report(self, *, is_stopped: bool) -> JobReport:
        """What the run came to."""
        done = self.copied + self.healed + self.snapshots > 0 or (self.seen > 0 and self.problems.count > 0)
        return JobReport(
            self._summary(),
            {
                "archives": self.seen,
                "copied": self.copied,
                "bytes": self.copied_bytes,
                "healed": self.healed,
                "snapshots": self.snapshots,
                "pruned": self.pruned,
                "differing": self.differing.count,
                "failed": self.problems.count,
            },
            done,
            self.differing.all(),
            self.problems.all(),
            is_stopped,
        )

    def _summary(self) -> str:
        if not (self.copied or self.healed or self.snapshots or self.differing.count or self.problems.count):
            gone = f"; {self.pruned} of them were removed here by a policy" if self.pruned else ""
            return f"nothing to copy of the {counted(self.seen, 'archive')} on {self.there}{gone}"
        copied = f"{counted(self.copied, 'archive')} ({human_size(self.copied_bytes)}) copied from {self.there}"
        healed = f", {self.healed} healed" if self.healed else ""
        snapshots = f", {counted(self.snapshots, 'snapshot file')} added" if self.snapshots else ""
        return f"{copied}{healed}{snapshots}; it has {self.seen}"
