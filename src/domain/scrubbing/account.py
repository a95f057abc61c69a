"""What a run of the scrub has come to."""

from __future__ import annotations

from collections.abc import Mapping

from attrs import define, field

from ..jobs.job import JobReport, Remark
from ..text.counted import counted
from .findings import Finding, ScrubbedPart, ScrubVerdict


@define
class ScrubAccount:
    """
    What a run has done so far. *due* are the archives that were to be read, *checked* those whose reading came to an
    end, *left* those that could not be read now, with the reason.
    """

    due: int = 0
    checked: int = 0
    checked_bytes: int = 0
    findings: list[Finding] = field(factory=list)
    left: list[Remark] = field(factory=list)

    def enter(self, size_bytes: int, findings: tuple[Finding, ...]) -> None:
        """An archive of *size_bytes* was read, and *findings* were made."""
        self.checked += 1
        self.checked_bytes += size_bytes
        self.findings += findings

    def report(self, behind: Mapping[str, int], left: int, *, is_stopped: bool) -> JobReport:
        """
        The report of the run. *behind* says how many archives of which profile were not read for twice as long as they
        should be; *left* is how many are still to be read.
        """
        damaged = self._archives(ScrubVerdict.DAMAGED)
        unstable = self._archives(ScrubVerdict.UNSTABLE)
        counts = {
            "due": self.due,
            "checked": self.checked,
            "checked_bytes": self.checked_bytes,
            "damaged": damaged,
            "mended": self._archives(ScrubVerdict.MENDED),
            "unstable": unstable,
            "left": left,
            "behind": sum(behind.values()),
        }
        told = [f"{counted(self.checked, 'archive')} read again" if self.checked else "no archive was due"]
        if self.due and not self.checked:
            told = ["no archive was read again"]
        told += [f"{number} {word}" for word in ("damaged", "mended", "unstable", "left") if (number := counts[word])]
        problems = [Remark(_told(finding), finding.id.profile) for finding in self.findings]
        problems += self.left
        problems += [Remark(_behind(number), profile) for profile, number in sorted(behind.items())]
        return JobReport(", ".join(told), counts, bool(self.checked), (), tuple(problems), is_stopped)

    def _archives(self, verdict: ScrubVerdict) -> int:
        return len({finding.id for finding in self.findings if finding.verdict is verdict})


def _told(finding: Finding) -> str:
    named = f"{finding.id.type.value}/{finding.id.name}"
    if finding.verdict is ScrubVerdict.UNSTABLE:
        return (
            f"{named}: {finding.what}, and was right when it was read again: test the memory, the cables and the disk "
            "of this machine"
        )
    if finding.verdict is ScrubVerdict.MENDED:
        return f"{named}: {finding.what}, and was made anew"
    way_out = {
        ScrubbedPart.BYTES: "; send the same archive again to repair it",
        ScrubbedPart.SNAPSHOT: "; the next dump continues from another archive",
        ScrubbedPart.MARKS: "; look which holds and lock it should have, and make them again",
        ScrubbedPart.SIDECAR: "; a rebuild of the catalog with a check says more",
        ScrubbedPart.ENTRY: "; a rebuild of the catalog with a check makes it right",
    }
    return f"{named} is damaged: {finding.what}{way_out[finding.part]}"


def _behind(number: int) -> str:
    those = counted(number, "archive was", "archives were")
    return f"scrub-behind: {those} not read for twice as long as intended; allow a higher rate"
