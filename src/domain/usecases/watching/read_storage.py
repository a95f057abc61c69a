"""How much is stored, how it grows, and when there will be no room."""

from __future__ import annotations

from collections.abc import Callable
from datetime import timedelta

from attrs import frozen

from ...ports.catalog import Catalog
from ...ports.store import ArchiveStore
from ...ports.system import Clock
from ...ports.upkeep.arrivals import ArrivalTable
from ...ports.upkeep.usage import UsageTable
from ...profiles.capacity import Reserve
from ...watching.arrived import day_of
from ...watching.forecast import Forecast, forecast
from ...watching.used import UsedOnDay
from .read_metrics import TrashSize

GROWN_OVER = 30
"""Days over which what came to a profile is added up."""

_YEAR = timedelta(days=365)


@frozen
class ProfileGrowth:
    """A profile that holds so many *archives* of *size_bytes*, to which *came_bytes* came in the last 30 days."""

    profile: str
    archives: int
    size_bytes: int
    came_bytes: int


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


@frozen
class ReadStorage:
    """Say how much is stored and how it grows."""

    catalog: Catalog
    store: ArchiveStore
    trash: TrashSize
    arrived: ArrivalTable
    table: UsageTable
    reserve: Reserve
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
        return tuple(growth), self._server() if with_server else None

    def _server(self) -> StoreGrowth:
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
