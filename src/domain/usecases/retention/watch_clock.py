"""Noting how the time passes, and what an operator says of the clock."""

from __future__ import annotations

from contextlib import suppress
from datetime import datetime, timedelta

from attrs import define, field, frozen

from ...errors.capacity import InsufficientStorage, ReadOnly
from ...ports.catalog import Catalog
from ...ports.system import Clock, ClockNotes, Turns
from ...ports.upkeep.jobs import JobTable
from ...retention.clock_watch import ClockNote, accepted, at_start, at_tick, is_as_good


@define(eq=False)
class WatchClock:
    """Look at the clock. Each call compares it with the one before, the first with what an earlier run noted."""

    clock: Clock
    notes: ClockNotes
    catalog: Catalog
    jobs: JobTable
    turns: Turns
    _last: tuple[datetime, timedelta] | None = field(default=None, init=False)

    def __call__(self) -> ClockNote:
        """
        The note as it is now. If it has a doubt, nothing may be removed.

        On a full disk the note is not kept; the next call that can keeps it. Nor is one that says the same as that
        of a moment ago: jobs look at the clock for every profile.

        Raises:
            BackendUnavailable: the note cannot be read.
        """
        with self.turns.take("clock"):
            return self._looked()

    def _newest_run(self) -> datetime | None:
        runs = (record.last for record in self.jobs.records().values())
        return max((run.started_at for run in runs if run is not None), default=None)

    def _looked(self) -> ClockNote:
        now, count = self.clock.now(), self.clock.monotonic()
        kept = self.notes.load()
        if self._last is None:
            note = at_start(kept, now, _newest_receipt(self.catalog), self._newest_run())
        else:
            before, counted = self._last
            note = at_tick(kept, now, before, count - counted)
        if not is_as_good(kept, note):
            with suppress(InsufficientStorage, ReadOnly):
                self.notes.save(note)
        self._last = now, count
        return note


def _newest_receipt(catalog: Catalog) -> datetime | None:
    """When the newest archive was received, by the clock of that time; None without archives."""
    return max((row.newest for row in catalog.totals()), default=None)


@frozen
class ReadClockNote:
    """What was noted of the clock last."""

    notes: ClockNotes

    def __call__(self) -> ClockNote:
        """The note; nothing is written."""
        return self.notes.load()


@frozen
class AcceptClock:
    """Say that the clock is right: removing goes on."""

    watch: WatchClock
    notes: ClockNotes

    def __call__(self) -> ClockNote:
        """The note, which has no doubt. Raises as `WatchClock`."""
        note = accepted(self.watch(), _newest_receipt(self.watch.catalog))
        self.notes.save(note)
        return note
