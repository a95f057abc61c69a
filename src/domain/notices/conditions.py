"""What is so about a profile, or the server, and may be told: one condition for each thing that a person can mend."""

from __future__ import annotations

from collections.abc import Iterable, Iterator

from ..text.times import rfc3339
from ..watching.light import Concern, ConcernKind
from ..watching.profile_concerns import ProfileFacts, missed_text
from .event import AlertKey, Condition, Event

_EVENTS = {
    ConcernKind.UNRESTORABLE: Event.UNRESTORABLE,
    ConcernKind.PRUNE_PAUSED: Event.PRUNE_PAUSED,
    ConcernKind.SCRUB_BEHIND: Event.SCRUB_BEHIND,
    ConcernKind.DRILL_DIFFERENT: Event.DRILL_DIFFERENT,
    ConcernKind.DRILL_BEHIND: Event.DRILL_BEHIND,
    ConcernKind.CLOCK: Event.CLOCK_JUMPED,
    ConcernKind.JOB_FAILED: Event.JOB_FAILED,
    ConcernKind.COPY_BEHIND: Event.COPY_BEHIND,
    ConcernKind.DISK: Event.DISK,
    ConcernKind.UNDELIVERED: Event.UNDELIVERED,
}

WATCHED = frozenset({*_EVENTS.values(), Event.DAMAGED, Event.OVERDUE, Event.BRAKED})
"""The events that follow from looking; others are raised where they happen."""


def conditions_of(facts: ProfileFacts, concerns: Iterable[Concern]) -> tuple[Condition, ...]:
    """What is so about a profile with these *facts*, from which the *concerns* follow."""
    return tuple(_conditions(facts, concerns))


def server_conditions(concerns: Iterable[Concern]) -> tuple[Condition, ...]:
    """What is so about the server."""
    return tuple(_known(None, concerns))


def _conditions(facts: ProfileFacts, concerns: Iterable[Concern]) -> Iterator[Condition]:
    for id in facts.damaged:
        how = f" ({facts.faults[id].value})" if id in facts.faults else ""
        yield Condition(AlertKey(Event.DAMAGED, facts.profile, id.label), f"{id.label} is damaged{how}")
    for missed in facts.missed:
        what = "any" if missed.type is None else missed.type.value
        subject = f"{what} {rfc3339(missed.slot.due_at)}"
        yield Condition(AlertKey(Event.OVERDUE, facts.profile, subject), missed_text(missed))
    for id, why in facts.brake.items():
        yield Condition(AlertKey(Event.BRAKED, facts.profile, id.label), f"pruning is stopped: {why}")
    yield from _known(facts.profile, concerns)


def _known(profile: str | None, concerns: Iterable[Concern]) -> Iterator[Condition]:
    for concern in concerns:
        if concern.kind in _EVENTS:
            yield Condition(AlertKey(_EVENTS[concern.kind], profile, concern.subject), concern.text)
