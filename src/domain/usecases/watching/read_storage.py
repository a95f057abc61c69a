"""
How much is stored, how it grows, and when there will be no room. Those who ask often share what it costs to know.
"""

from __future__ import annotations

from collections.abc import Callable
from datetime import timedelta

from attrs import define, field, frozen

from ...ports.catalog import Catalog
from ...ports.store import ArchiveStore
from ...ports.system import Clock, Turns
from ...ports.upkeep.arrivals import ArrivalTable
from ...ports.upkeep.usage import UsageTable
from ...profiles.capacity import Reserve
from ...watching.arrived import day_of
from ...watching.forecast import Forecast, forecast
from ...watching.used import UsedOnDay

GROWN_OVER = 30
"""Days over which what came to a profile is added up."""

_YEAR = timedelta(days=365)
_KNOWN_FOR = timedelta(minutes=1)


@frozen
class ProfileGrowth:
    """A profile that holds so many *archives* of *size_bytes*, to which *came_bytes* came in the last 30 days."""

    profile: str
    archives: int
    size_bytes: int
    came_bytes: int


@define(eq=False)
class TrashSize:
    """The bytes in the trash, counted at most every ten minutes: it looks at every file there. No use case."""

    store: ArchiveStore
    clock: Clock
    turns: Turns
    every: timedelta = timedelta(minutes=10)
    _counted: tuple[timedelta, int] | None = field(default=None, init=False)

    def bytes(self) -> int:
        """The bytes of the archives in the trash."""
        with self.turns.take("size of the trash"):
            now = self.clock.monotonic()
            if self._counted is None or now - self._counted[0] >= self.every:
                self._counted = now, sum(trashed.size_bytes or 0 for trashed in self.store.trashed())
            return self._counted[1]


@frozen
class StoreGrowth:
    """
    The *days* of the last year of which something is known, the newest with what is used now; *capacity_bytes* is how
    much archives may use altogether, None if no end is known, and *expected* when they will, None if that cannot be
    said yet.
    """

    days: tuple[UsedOnDay, ...]
    capacity_bytes: int | None
    expected: Forecast | None

    @property
    def used(self) -> UsedOnDay:
        """What is used now."""
        return self.days[-1]

    @property
    def is_full(self) -> bool:
        """Whether archives may use no more than they do."""
        return self.capacity_bytes is not None and self.used.total_bytes >= self.capacity_bytes


@frozen
class ReadGrowth:
    """Say how the store as a whole grows."""

    catalog: Catalog
    store: ArchiveStore
    trash: TrashSize
    table: UsageTable
    reserve: Reserve
    clock: Clock

    def __call__(self) -> StoreGrowth:
        """
        Cost: some milliseconds, however much is stored.

        Raises:
            BackendUnavailable: store or catalog cannot be read.
        """
        today = day_of(self.clock.now())
        stored = {type: sums.size_bytes for type, sums in self.catalog.sums().items()}
        now = UsedOnDay(today, stored, self.trash.bytes())
        known = [one for one in self.table.days(today - _YEAR, today) if one.day != today]
        usage = self.store.usage()
        days = (*known, now)
        if usage.free_bytes is None:
            return StoreGrowth(days, None, None)
        capacity = max(now.total_bytes + usage.free_bytes - self.reserve.of(usage), 0)
        return StoreGrowth(days, capacity, forecast({one.day: one.total_bytes for one in days}, capacity))


@define(eq=False)
class KnownGrowth:
    """How the store grows, looked at at most once a minute: many ask, and it changes by the day. No use case."""

    read: ReadGrowth
    clock: Clock
    turns: Turns
    _known: tuple[timedelta, StoreGrowth] | None = field(default=None, init=False)

    def growth(self) -> StoreGrowth:
        """How it grows. Raises as `ReadGrowth`."""
        with self.turns.take("growth of the store"):
            now = self.clock.monotonic()
            if self._known is None or now - self._known[0] >= _KNOWN_FOR:
                self._known = now, self.read()
            return self._known[1]


@frozen
class ReadStorage:
    """Say how much is stored and how it grows."""

    catalog: Catalog
    arrived: ArrivalTable
    growth: ReadGrowth
    clock: Clock

    def __call__(
        self, sees: Callable[[str], bool], *, with_server: bool
    ) -> tuple[tuple[ProfileGrowth, ...], StoreGrowth | None]:
        """
        The profiles that the caller *sees*, those first to which most came; and *with_server* the store as a whole.

        Raises:
            BackendUnavailable: store or catalog cannot be read.
        """
        today = day_of(self.clock.now())
        held = {profile: sums for profile, sums in self.catalog.held().items() if sees(profile)}
        came = self.arrived.sizes(held, today - timedelta(days=GROWN_OVER - 1), today)
        growth = [
            ProfileGrowth(profile, sums.archives, sums.size_bytes, came.get(profile, 0))
            for profile, sums in held.items()
        ]
        growth.sort(key=lambda one: (-one.came_bytes, -one.size_bytes, one.profile))
        return tuple(growth), self.growth() if with_server else None
