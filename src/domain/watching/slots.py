"""
Which archives are overdue.

The rules:

1. Each time of a cadence is a *slot*, which one archive fills. An archive fills the slot that it is late for, and one
   that comes early fills the next: up to the grace, and at most half of the time since the slot before. So an archive
   that came far too late does not hide that the next one is missing.
2. Where archives come every so often, the next slot is so long after the newest archive.
3. A slot is *missed* when its grace is over. If the server was away meanwhile, archives could not come: the deadline
   is later by the time of its absence, and by as much again as a client needs to notice, an hour or the grace.
4. Nothing is to come on holidays: a slot there is left out, or waits until they end if it is counted from an archive.

Only archives that restore fill a slot. Pure.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from datetime import MAXYEAR, datetime, timedelta
from itertools import takewhile

from attrs import frozen

from ..profiles.expectation import LEAST_GRACE, Cadence, Expectation
from ..profiles.schedule import Schedule
from ..profiles.span import Span

_FARTHEST = timedelta(days=366 * 30)
_LONGEST_HOLIDAYS = 1000  # slots that are left out one after the other


@frozen
class Absence:
    """The server did not run between *since* and *until*."""

    since: datetime
    until: datetime


@frozen
class Slot:
    """An archive is to come at *due_at*; it may come from *counts_from* on, and is missed from *deadline* on."""

    counts_from: datetime
    due_at: datetime
    deadline: datetime


def missed(
    cadence: Cadence,
    expectation: Expectation,
    last: datetime | None,
    since: datetime,
    now: datetime,
    absences: Sequence[Absence] = (),
) -> Iterator[Slot]:
    """The slots that are missed at *now*, in their order; the arguments are those of `slots`."""
    return takewhile(lambda slot: slot.deadline <= now, slots(cadence, expectation, last, since, absences))


def slots(
    cadence: Cadence,
    expectation: Expectation,
    last: datetime | None,
    since: datetime,
    absences: Sequence[Absence] = (),
) -> Iterator[Slot]:
    """
    The slots of *cadence*, one of *expectation*, that no archive has filled yet, in their order.

    *last* is the newest receipt of an archive that fills slots; None: none came since the moment *since*, from which on
    archives are to come. *absences* are in order.
    """
    if isinstance(cadence.every, Span):
        found = _counted(cadence.every, expectation, last or since)
    else:
        found = _scheduled(cadence.every, expectation, last, since)
    for slot, grace in found:
        yield _extended(slot, grace, absences)


def _scheduled(
    every: Schedule, expectation: Expectation, last: datetime | None, since: datetime
) -> Iterator[tuple[Slot, timedelta]]:
    due_at = every.after(since if last is None else last)
    before = _before(every, due_at)
    left_out = 0
    while due_at.year < MAXYEAR and left_out < _LONGEST_HOLIDAYS:
        gap = _FARTHEST if before is None else due_at - before
        grace = expectation.grace_for(gap)
        slot = _slot(due_at, gap, grace)
        if any(holiday.has(due_at, expectation.zone) for holiday in expectation.holidays):
            left_out += 1
        elif last is None or slot.counts_from > last:
            left_out = 0
            yield slot, grace
        before, due_at = due_at, every.after(due_at)


def _counted(every: Span, expectation: Expectation, last: datetime) -> Iterator[tuple[Slot, timedelta]]:
    before = last
    while (due_at := every.after(before)).year < MAXYEAR and due_at > before:
        for holiday in sorted(expectation.holidays, key=lambda one: one.first):
            if holiday.has(due_at, expectation.zone):
                due_at = max(due_at, holiday.end(expectation.zone))
        gap = due_at - before
        grace = expectation.grace_for(every.after(before) - before)
        yield _slot(due_at, gap, grace), grace
        before = due_at


def _slot(due_at: datetime, gap: timedelta, grace: timedelta) -> Slot:
    return Slot(due_at - min(grace, gap / 2), due_at, due_at + grace)


def _before(every: Schedule, due_at: datetime) -> datetime | None:
    """The time of *every* before *due_at*, which is one; None if there is none within 30 years."""
    back = every.after(due_at) - due_at
    while timedelta() < back < _FARTHEST:
        found = every.after(due_at - back)
        if found < due_at:
            while (following := every.after(found)) < due_at:
                found = following
            return found
        back *= 2
    return None


def _extended(slot: Slot, grace: timedelta, absences: Sequence[Absence]) -> Slot:
    deadline = slot.deadline
    for absence in absences:
        if absence.since < deadline and absence.until > slot.counts_from:
            away = absence.until - max(absence.since, slot.counts_from)
            deadline += away + min(grace, LEAST_GRACE)
    return Slot(slot.counts_from, slot.due_at, deadline)
