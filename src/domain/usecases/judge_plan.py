"""
Whether tar may be trusted with a plan: extracting its archives one after the other, it stays in its directory.

Where it would not, the tree merged by the server is right all the same, and is what restores.
"""

from __future__ import annotations

from collections.abc import Sequence

from attrs import define, evolve, field, frozen

from ..archives import BackupArchive
from ..footprints import objection
from ..points import Plan
from .record_members import RecordMembers


@define(eq=False)
class KeptVerdicts:
    """
    The verdicts found last, at most *most* of them, by the digests of their archives; these never change.

    For several threads at once: each step is one operation of a dictionary.
    """

    most: int = 1000
    _verdicts: dict[tuple[str, ...], str] = field(factory=dict, init=False)

    def get(self, key: tuple[str, ...]) -> str | None:
        """What was found of the archives *key*, None where nothing was."""
        return self._verdicts.get(key)

    def put(self, key: tuple[str, ...], verdict: str) -> None:
        """Keep *verdict*; the oldest may have to go."""
        self._verdicts[key] = verdict
        for oldest in list(self._verdicts)[: -self.most]:
            self._verdicts.pop(oldest, None)


@frozen
class JudgePlan:
    """Look where the archives of a plan go."""

    members: RecordMembers
    kept: KeptVerdicts = field(factory=KeptVerdicts)

    def __call__(self, plan: Plan, archives: Sequence[BackupArchive]) -> Plan:
        """
        *plan*, of *archives*, with what is against having tar extract them.

        Raises:
            ArchiveCorrupt: an archive had to be read and is damaged.
        """
        key = tuple(archive.digests.sha256 for archive in archives)
        verdict = self.kept.get(key)
        if verdict is None:
            verdict = objection(map(self.members.footprint, archives))
            self.kept.put(key, verdict)
        return evolve(plan, is_sound=False, objection=verdict) if verdict else plan
