"""Simulating what the policy of a profile keeps in the coming time."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import tzinfo

from attrs import evolve, frozen

from ...identity.archive_id import BackupType
from ...ports.system import Clock
from ...ports.upkeep.jobs import CronLines
from ...profiles.rules import Rules
from ...profiles.schedule import Schedule
from ...profiles.span import Span
from ...retention.simulation import Expected, Simulation, expected, simulate
from ..restoring.load_points import LoadPoints


@frozen
class SimulatePruning:
    """Continue a profile as it was so far, and prune it every day; nothing is changed."""

    load_points: LoadPoints
    rules: Rules
    clock: Clock
    cron_lines: CronLines

    def __call__(self, profile: str, days: int, every: Mapping[BackupType, str]) -> Simulation:
        """
        The next *days* of *profile*.

        Archives of a type come as often as *every* says: each so many hours, days ... as a `Span` states them, or at
        the times of a cron line in the time zone of the profile. Of a type that it does not name they come as often as
        so far.

        Raises:
            ProfileNotFound: the profile has no stored archive.
            NoRetentionPolicy: nothing says what it keeps.
            SimulationTooLong: too many archives are expected for so many days.
            ValueError: there are too many days, a text states neither, or they come more often than simulated.
        """
        places = self.load_points(profile).places()
        learnt = {one.type: one for one in expected(place.archive for place in places)}
        coming = [learnt[type] for type in BackupType if type in learnt and type not in every]
        sizes = [place.archive.size_bytes for place in places]
        rules = self.rules.of(profile)
        for type, text in every.items():
            known, stated = learnt.get(type), self._stated(text, rules.time_zone)
            coming.append(Expected(type, stated, sizes[-1]) if known is None else evolve(known, every=stated))
        coming.sort(key=lambda one: list(BackupType).index(one.type))
        return simulate(profile, places, coming, rules, self.clock.now(), days)

    def _stated(self, text: str, zone: tzinfo) -> Schedule:
        return self.cron_lines.read(text, zone) if " " in text.strip() else Span.parse(text)
