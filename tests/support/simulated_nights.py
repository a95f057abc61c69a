"""
Years of nightly backups of machines that behave, and of machines that are attacked, as numbers of files and bytes.

No tar is made: each night is an archive's description and the names that changed, as the server would find them. A
machine is a set of names and the habits of whoever works with it.
"""

from __future__ import annotations

import random
from collections import Counter
from collections.abc import Callable, Iterable, Iterator
from datetime import UTC, datetime, timedelta

from attrs import define, evolve, field, frozen

from tarkeep.domain.archives.archive import Kind
from tarkeep.domain.identity.archive_id import BackupType
from tarkeep.domain.retention.arrival import Arrival
from tarkeep.domain.retention.suspicion import (
    COMPARED,
    RECENT,
    SUSPICIOUS,
    Arrived,
    Sign,
    counted_changes,
    is_worth_comparing,
    judge,
)

FULL, INC, DIFF = BackupType
START = datetime(2025, 1, 1, 2, tzinfo=UTC)
DAYS = 365
BURST_SPREAD = 0.4


@frozen
class Habits:
    """
    What changes on a usual night, as shares of all files: *busy* is the median share that changes, *spread* its
    variation (sigma of a log-normal), *made* and *removed* come and go. *packing* is what gzip leaves of the bytes.
    *works_at_weekends*, *closed* (weeks without work in a year), *away* (the share of nights without a backup) and
    *sends_late* (such nights are sent together later) say when.
    """

    busy: float = 0.01
    spread: float = 0.7
    made: float = 0.001
    removed: float = 0.0005
    packing: float = 0.4
    works_at_weekends: bool = False
    closed: tuple[int, ...] = ()
    away: float = 0.0
    sends_late: bool = False
    burst_every: int = 0
    burst: float = 0.0
    burst_made: float = 0.0
    full_every: int = 7
    differential: bool = False


ORDINARY: dict[str, Habits] = {
    "steady": Habits(),
    "steady, DIFF": Habits(differential=True),
    "growing": Habits(made=0.006, removed=0.001),
    "monthly bursts": Habits(burst_every=30, burst=0.2, burst_made=0.05),
    "holidays": Habits(closed=(28, 29, 30, 51, 52)),
    "a laptop": Habits(busy=0.005, spread=1.2, away=0.4, works_at_weekends=True),
    "a laptop, sent late": Habits(busy=0.005, spread=1.2, away=0.4, sends_late=True),
    "photographs": Habits(busy=0.0005, packing=0.985, burst_every=21, burst_made=0.03, made=0.0),
    "a workshop of programs": Habits(busy=0.02, spread=1.0, made=0.02, removed=0.019),
    "FULL each month": Habits(full_every=30),
}
"""Machines that nobody attacked."""


@define
class SimulatedMachine:
    """One machine, night after night."""

    habits: Habits
    dice: random.Random
    files: int = 5000
    file_bytes: int = 20_000
    now: datetime = START
    arrived: list[Arrival] = field(factory=list)
    carried: int = 0
    night: int = 0
    full_at: int = 0

    def history(self, days: int = DAYS) -> Iterator[Arrived]:
        """What arrives in so many days."""
        waiting: list[Callable[[], Arrived]] = []
        for _ in range(days):
            self.now += timedelta(days=1)
            self.night += 1
            is_away = self.dice.random() < self.habits.away
            if is_away and not self.habits.sends_late:
                continue
            dump = self._dump()
            waiting.append(dump)
            if not is_away:
                for one in waiting:
                    yield one()
                waiting.clear()

    def _dump(self) -> Callable[[], Arrived]:
        made, removed, changed = self._work()
        night = self.night
        return lambda: self.arrives(made=made, removed=removed, changed=changed, night=night)

    def _work(self) -> tuple[int, int, int]:
        week = (self.now - START).days // 7 % 52 + 1
        if week in self.habits.closed or (self.now.weekday() >= 5 and not self.habits.works_at_weekends):
            return 0, 0, self._about(0.0005)
        made, removed, changed = (self._about(one) for one in (self.habits.made, self.habits.removed, self.habits.busy))
        if self.habits.burst_every and self.night % self.habits.burst_every == 0:
            made += self._about(self.habits.burst_made, BURST_SPREAD)
            changed += self._about(self.habits.burst, BURST_SPREAD)
        return made, removed, min(changed, self.files)

    def _about(self, share: float, spread: float | None = None) -> int:
        return int(share * self.files * self.dice.lognormvariate(0, self.habits.spread if spread is None else spread))

    def arrives(
        self,
        *,
        made: int = 0,
        removed: int = 0,
        changed: int = 0,
        unknown: int = 0,
        packing: float | None = None,
        type: BackupType | None = None,
        size_bytes: int | None = None,
        night: int | None = None,
    ) -> Arrived:
        """
        A night with so many files *made*, *removed* and *changed*; *unknown* of the made ones have a suffix that no
        file had.
        """
        removed = min(removed, self.files)
        self.files += made - removed
        later = DIFF if self.habits.differential else INC
        night = self.night if night is None else night
        if type is None:
            type = FULL if self._is_full_due(night) else later
        if type is FULL:
            self.full_at = night
        before = self.carried if type is DIFF and self._last_type is DIFF else 0
        self.carried = self.files if type is FULL else min(self.files, before + made + changed)
        archive = self._archive(type, night, self.carried, packing or self.habits.packing, size_bytes)
        alike = [one for one in reversed(self.arrived) if one.type is type][:COMPARED]
        recent = self.arrived[: -RECENT - 1 : -1]
        self.arrived.append(archive)
        if not recent:
            return Arrived(archive)
        names = counted_changes(archive, recent[0]._replace(listed=self.files - made + removed))
        if is_worth_comparing(archive, recent[0]):
            names = evolve(names, gone=removed, new=made, suffix=b".locked" if unknown else b"", suffixed=unknown)
        return Arrived(archive, alike, recent, names, before)

    @property
    def is_full_due(self) -> bool:
        """Whether tonight's archive is a FULL."""
        return self._is_full_due(self.night)

    def _is_full_due(self, night: int) -> bool:
        return not self.arrived or night - self.full_at >= self.habits.full_every

    @property
    def _last_type(self) -> BackupType | None:
        return self.arrived[-1].type if self.arrived else None

    def _archive(self, type: BackupType, night: int, carried: int, packing: float, size_bytes: int | None) -> Arrival:
        mean = self.file_bytes * self.dice.lognormvariate(0, 0.3 if type is FULL else 0.6)
        unpacked = int(10_240 + self.files * 20 + carried * mean)
        packed = min(1.0, packing * self.dice.lognormvariate(0, 0.03))
        return Arrival(
            type=type,
            name=f"{type.value.lower()}_{len(self.arrived)}.tar.gz",
            received_at=self.now + timedelta(seconds=60 * self.dice.random() + len(self.arrived) % 50),
            placed_at=START + timedelta(days=night),
            size_bytes=size_bytes or int(unpacked * packed),
            sha256="",
            kind=Kind.INCREMENTAL,
            members=carried,
            unpacked_bytes=unpacked,
            listed=self.files,
            unchanged=self.files - carried,
        )


def _encrypted(machine: SimulatedMachine) -> Iterator[Arrived]:
    whole = (0.99 + machine.habits.packing) / 2  # of a FULL
    yield machine.arrives(changed=machine.files // 2, packing=whole if machine.is_full_due else 0.99)


def _encrypted_and_renamed(machine: SimulatedMachine) -> Iterator[Arrived]:
    half = machine.files // 2
    yield machine.arrives(made=half, removed=half, unknown=half, packing=0.99)


def _encrypted_slowly(machine: SimulatedMachine) -> Iterator[Arrived]:
    tenth = machine.files // 10
    for _ in range(5):
        yield machine.arrives(made=tenth, removed=tenth, unknown=tenth, packing=0.9)
        machine.night += 1
        machine.now += timedelta(days=1)


def _deleted(machine: SimulatedMachine) -> Iterator[Arrived]:
    yield machine.arrives(removed=machine.files // 2)


def _flooded(machine: SimulatedMachine) -> Iterator[Arrived]:
    for _ in range(100):
        yield machine.arrives(changed=machine.files // 100)


def _hundredfold(machine: SimulatedMachine) -> Iterator[Arrived]:
    usual = sorted(one.size_bytes for one in machine.arrived if one.type is not FULL)
    yield machine.arrives(
        changed=50, size_bytes=100 * usual[len(usual) // 2], type=DIFF if machine.habits.differential else INC
    )


ATTACKS: dict[str, Callable[[SimulatedMachine], Iterator[Arrived]]] = {
    "half of the files encrypted": _encrypted,
    "half encrypted, with new names": _encrypted_and_renamed,
    "a tenth a night, with new names": _encrypted_slowly,
    "half of the files deleted": _deleted,
    "a flood of archives": _flooded,
    "an INC a hundred times as large": _hundredfold,
}
"""What is done to a machine, or with its token."""


def is_braked(arrivals: Iterable[Arrived]) -> bool:
    """Whether one of *arrivals* is suspicious."""
    return any(sum(one.weight for one in judge(arrived)) >= SUSPICIOUS for arrived in arrivals)


SIZES = (300, 2000, 5000, 30_000)
"""Files of the machines."""


def false_brakes(name: str, years: int) -> Counter[Sign]:
    """The signs of archives that brake so many years of ordinary machines; each brake counts once, under its first."""
    braked: Counter[Sign] = Counter()
    for seed in range(years):
        dice = random.Random(f"{name} {seed}")
        for arrived in SimulatedMachine(ORDINARY[name], dice, files=dice.choice(SIZES)).history():
            found = judge(arrived)
            if sum(one.weight for one in found) >= SUSPICIOUS:
                braked[max(found, key=lambda one: one.weight).sign] += 1
    return braked


def share_braked(name: str, attack: str, times: int) -> float:
    """The share of so many attacks on a machine with these habits, in its first 60 to 200 nights, that are braked."""
    found = 0
    for seed in range(times):
        dice = random.Random(f"{name} {attack} {seed}")
        machine = SimulatedMachine(ORDINARY[name], dice, files=dice.choice(SIZES[1:]))
        for _ in machine.history(dice.randrange(60, 200)):
            pass
        machine.night += 1
        machine.now += timedelta(days=1)
        found += is_braked(ATTACKS[attack](machine))
    return found / times
