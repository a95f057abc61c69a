"""
What a policy keeps as time goes by: the archives there are, continued by further ones, pruned every day.

Each simulated archive builds on what the rules of the profile say, and has the size that archives of its type mostly
had. The simulation carries out every plan, also those that would wait for an approval.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Iterable, Iterator, Mapping, Sequence
from datetime import UTC, datetime, time, timedelta
from heapq import merge
from itertools import pairwise

from attrs import field, frozen

from ..archives.archive import BackupArchive, Contents, Kind
from ..chains.link import Evidence, Link
from ..chains.links import base_types
from ..chains.standing import PlacedArchive, standing_of
from ..errors.retention import NoRetentionPolicy, SimulationTooLong
from ..identity.archive_id import ArchiveId, BackupType
from ..identity.digests import Digests
from ..profiles.retention_policy import RetentionPolicy
from ..profiles.rules import ProfileRules
from ..profiles.schedule import Schedule
from ..profiles.span import Span
from .decisions import PrunePlan, of_archives
from .prune_plan import plan_prune, without_young

MOST_DAYS = 1500
FEWEST_ARRIVALS = 2
"""So many archives of a type show how often it comes."""
MOST_A_DAY = 24
"""So many archives of a type may come within a day."""
MOST_PLANNED = 100_000
"""So many decisions are made at most, a few seconds of work: each day one for every archive."""

_NO_BYTES = Digests("0" * 32, "0" * 64)


@frozen
class Expected:
    """Archives of one *type* that come *every* so often, or at the times of a cron line, each of *size_bytes*."""

    type: BackupType
    every: Schedule
    size_bytes: int = field()

    @size_bytes.validator
    def _check(self, _attribute: object, size_bytes: int) -> None:
        if isinstance(self.every, Span) and not self.every.count:
            raise ValueError("archives cannot come every 0 hours")
        if size_bytes < 0:
            raise ValueError("a size cannot be negative")


@frozen
class SimulatedDay:
    """A profile at the end of a day, after pruning: *points* restore, *longest* is the most archives that one takes."""

    at: datetime
    points: int
    archives: int
    size_bytes: int
    longest: int
    removed: int


@frozen
class Simulation:
    """*days* in their order; *alone* is how many bytes a rule, by its setting, keeps at the end that no other does."""

    days: tuple[SimulatedDay, ...]
    alone: Mapping[str, int]


def expected(archives: Iterable[BackupArchive]) -> list[Expected]:
    """What further archives are to be expected: of each type the median distance and size, if it came often enough."""
    found = []
    known = sorted(archives, key=lambda archive: archive.received_at)
    for type in BackupType:
        some = [archive for archive in known if archive.id.type is type]
        if len(some) < FEWEST_ARRIVALS:
            continue
        gaps = sorted(later.received_at - earlier.received_at for earlier, later in pairwise(some))
        sizes = sorted(archive.size_bytes for archive in some)
        hours = max(1, round(gaps[(len(gaps) - 1) // 2] / timedelta(hours=1)))
        size_bytes = sizes[(len(sizes) - 1) // 2]
        found.append(Expected(type, Span.parse(f"{hours}h"), size_bytes))
    return found


def simulate(
    profile: str,
    places: Sequence[PlacedArchive],
    coming: Sequence[Expected],
    rules: ProfileRules,
    now: datetime,
    days: int,
) -> Simulation:
    """
    The next *days* of *profile*, which has *places* now, and a policy in its *rules*.

    Raises:
        NoRetentionPolicy: nothing says what it keeps.
        SimulationTooLong: it takes more than `MOST_PLANNED` decisions.
        ValueError: there are too many days, or none; or more than `MOST_A_DAY` archives of a type come within a day.

    Cost: a plan for each day, over what is kept on it.
    """
    policy = rules.retention
    if policy is None:
        raise NoRetentionPolicy(profile)
    if not 1 <= days <= MOST_DAYS:
        raise ValueError(f"between 1 and {MOST_DAYS} days can be simulated, not {days}")
    arriving = _arrivals(coming, now)
    upcoming = next(arriving, None)
    present = list(places)
    told = []
    plan = None
    planned = 0
    for day in range(1, days + 1):
        evening = datetime.combine((now + timedelta(days=day)).date(), time.min, UTC)
        while upcoming is not None and upcoming[0] <= evening:
            present.append(_received(profile, *upcoming, present, rules))
            upcoming = next(arriving, None)
        planned += len(present)
        if planned > MOST_PLANNED:
            raise SimulationTooLong(profile, days, max(1, day - 1))
        plan = _planned(profile, present, policy, rules, evening)
        gone = frozenset(of_archives(plan.removed))
        present = [place for place in present if place.archive.id not in gone]
        told.append(_day(evening, present, len(gone)))
    assert plan is not None
    return Simulation(tuple(told), _planned(profile, present, policy, rules, told[-1].at).alone)


def _arrivals(coming: Sequence[Expected], now: datetime) -> Iterator[tuple[datetime, int, Expected]]:
    """All that comes after *now*, for ever, in order; a FULL before an INC of the same time."""
    return merge(*(_series(rank, one, now) for rank, one in enumerate(coming)), key=lambda arrival: arrival[:2])


def _series(rank: int, one: Expected, now: datetime) -> Iterator[tuple[datetime, int, Expected]]:
    at = one.every.after(now)
    last: deque[datetime] = deque(maxlen=MOST_A_DAY)
    while True:
        if len(last) == MOST_A_DAY and at - last[0] < timedelta(days=1):
            raise ValueError(f"more than {MOST_A_DAY} archives of the type {one.type.value} come within a day")
        last.append(at)
        yield at, rank, one
        at = one.every.after(at)


def _received(
    profile: str, at: datetime, _rank: int, one: Expected, present: Sequence[PlacedArchive], rules: ProfileRules
) -> PlacedArchive:
    id = ArchiveId(profile, one.type, f"simulated_{at:%Y-%m-%dT%H-%M-%SZ}.tar.gz")
    contents = Contents(Kind.INCREMENTAL, 1, one.size_bytes, None, one.type is not BackupType.FULL)
    archive = BackupArchive(id, one.size_bytes, _NO_BYTES, at, at, contents)
    types = base_types(one.type, rules)
    parent = next((place for place in reversed(present) if place.archive.id.type in types), None)
    if parent is None:
        evidence = Evidence.PROVEN if not types else Evidence.ORPHAN
        link = Link(id, None, evidence, "simulated")
    else:
        link = Link(id, parent.archive.id, Evidence.PROVEN, "simulated")
    return PlacedArchive(archive, link, standing_of(archive, link, parent))


def _planned(
    profile: str, present: Sequence[PlacedArchive], policy: RetentionPolicy, rules: ProfileRules, at: datetime
) -> PrunePlan:
    older = without_young(present, policy, at)
    return plan_prune(profile, present, older, policy, rules.time_zone, at)


def _day(at: datetime, present: Sequence[PlacedArchive], removed: int) -> SimulatedDay:
    standings = [place.standing for place in present if place.standing is not None and place.standing.is_restorable]
    return SimulatedDay(
        at,
        len(standings),
        len(present),
        sum(place.archive.size_bytes for place in present),
        max((standing.length for standing in standings), default=0),
        removed,
    )
