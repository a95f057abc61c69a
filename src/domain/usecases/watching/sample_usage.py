"""Noting once in a while how many bytes are used, so that growth can be seen later."""

from __future__ import annotations

from datetime import date, datetime, timedelta

from attrs import define, field

from ...ports.catalog import Catalog
from ...ports.system import Clock
from ...ports.upkeep.arrivals import ArrivalTable
from ...ports.upkeep.usage import UsageTable
from ...watching.arrived import day_of
from ...watching.used import UsedOnDay, used_before
from .read_storage import TrashSize

_EVERY = timedelta(hours=1)


@define(eq=False)
class SampleUsage:
    """Note what is used today, at most once an hour; for one thread. The last note of a day counts."""

    catalog: Catalog
    trash: TrashSize
    arrived: ArrivalTable
    table: UsageTable
    clock: Clock
    _noted_at: datetime | None = field(default=None, init=False)

    def __call__(self) -> None:
        """
        The first note of all comes with the days before it, if nothing was ever removed.

        Raises:
            BackendUnavailable, CatalogBusy: store or catalog cannot be read, or the catalog not be written.
        """
        now = self.clock.now()
        if self._noted_at is not None and timedelta() <= now - self._noted_at < _EVERY:
            return
        stored = {type: sums.size_bytes for type, sums in self.catalog.sums().items()}
        today = UsedOnDay(day_of(now), stored, self.trash.bytes())
        before = () if self.table.days(date.min, date.max) else used_before(self.arrived.days(_EPOCH, today.day), today)
        self.table.keep([*before, today])
        self._noted_at = now


_EPOCH = date(1970, 1, 1)
