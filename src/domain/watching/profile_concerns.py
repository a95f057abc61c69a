"""What about a profile is not as it should be. Pure."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from datetime import datetime

from attrs import field, frozen

from ..chains.standing import ObstacleKind, PlacedArchive
from ..identity.archive_id import ArchiveId, BackupType
from ..scrubbing.findings import Fault
from ..text.counted import counted
from ..text.times import rfc3339
from .drill_concerns import DrillFacts, drill_concerns
from .light import Concern, ConcernKind, Light, worst_first
from .slots import Slot

_SHOWN = 3
_NEARLY = 0.9


@frozen
class Missed:
    """
    No archive of *type*, None for any, came for *slot*; *last* is the newest receipt of one that restores, if any.
    """

    slot: Slot
    last: datetime | None
    is_learnt: bool = True
    type: BackupType | None = None


@frozen
class ProfileFacts:
    """
    What is known of a profile.

    *newest* is its newest archive. *damaged* are those whose stored bytes are known to be wrong; *faults*
    say how that showed, where it is known. *missed*: the slots
    for which nothing came, in order. *brake* says why pruning is stopped, *waits* why the last plan waits for a person.
    *unread* counts archives that should have been read again long ago. *held_bytes* of *max_bytes* are used, if there
    is a limit. *drills* is what is known of its drills, None if nothing of it restores.
    """

    profile: str
    newest: PlacedArchive
    damaged: Sequence[ArchiveId] = ()
    faults: Mapping[ArchiveId, Fault] = field(factory=dict)
    missed: Sequence[Missed] = ()
    brake: Mapping[ArchiveId, str] = field(factory=dict)
    waits: Sequence[str] = ()
    unread: int = 0
    held_bytes: int = 0
    max_bytes: int | None = None
    drills: DrillFacts | None = None


def concerns_of(facts: ProfileFacts) -> tuple[Concern, ...]:
    """What is not as it should be, the worst first."""
    return worst_first(_concerns(facts))


def _concerns(facts: ProfileFacts) -> Iterator[Concern]:
    if facts.damaged:
        text = f"{counted(len(facts.damaged), 'archive')} {_is(facts.damaged)} damaged: {_damaged(facts)}"
        yield Concern(ConcernKind.DAMAGED, Light.RED, text)
    yield from _of_newest(facts.newest)
    for type in dict.fromkeys(missed.type for missed in facts.missed):
        yield _of_missed([missed for missed in facts.missed if missed.type is type])
    if facts.drills is not None:
        yield from drill_concerns(facts.drills)
    for why in facts.brake.values():
        yield Concern(ConcernKind.BRAKED, Light.RED, f"pruning is stopped: {why}")
    for why in facts.waits if not facts.brake else ():
        yield Concern(ConcernKind.PRUNE_PAUSED, Light.YELLOW, f"pruning waits for a person: {why}")
    if facts.unread:
        text = f"{counted(facts.unread, 'archive')} should have been read again long ago"
        yield Concern(ConcernKind.SCRUB_BEHIND, Light.YELLOW, text)
    if facts.max_bytes is not None and facts.held_bytes > _NEARLY * facts.max_bytes:
        share = 100 * facts.held_bytes // facts.max_bytes if facts.max_bytes else 100
        yield Concern(ConcernKind.QUOTA, Light.YELLOW, f"{share} % of what the profile may hold is used")


def _of_newest(newest: PlacedArchive) -> Iterator[Concern]:
    id, standing = newest.archive.id, newest.standing
    if standing is None:
        text = f"whether the newest point, {id.label}, restores is not known yet"
        yield Concern(ConcernKind.UNKNOWN, Light.GREY, text)
        return
    if standing.is_restorable:
        return
    obstacles = standing.all_obstacles(id)
    first = obstacles[0]  # nothing else keeps a point from being restored
    why = first.reason if first.archive == id else f"{first.archive.label}: {first.reason}"
    if all(one.kind is ObstacleKind.OPAQUE for one in obstacles):
        text = f"whether the newest point, {id.label}, restores cannot be known: {why}"
        yield Concern(ConcernKind.UNKNOWN, Light.GREY, text)
        return
    yield Concern(ConcernKind.UNRESTORABLE, Light.RED, f"the newest point, {id.label}, does not restore: {why}")


def _of_missed(missed: Sequence[Missed]) -> Concern:
    text = missed_text(missed[0])
    if len(missed) > 1:
        text += f"; {len(missed) - 1} more {'was' if len(missed) == 2 else 'were'} missed since"
    return Concern(ConcernKind.OVERDUE, Light.YELLOW if missed[0].is_learnt else Light.RED, text)


def missed_text(missed: Missed) -> str:
    """What did not come, a sentence without its full stop."""
    how = "by the schedule that was learnt" if missed.is_learnt else "by the rules of the profile"
    what = (
        "an archive" if missed.type is None else f"a{'n' if missed.type is BackupType.INC else ''} {missed.type.value}"
    )
    due = rfc3339(missed.slot.due_at.replace(microsecond=0))
    if missed.last is None:
        return f"{what} was due at {due}, {how}; none that restores has come yet"
    last = rfc3339(missed.last.replace(microsecond=0))
    return f"{what} was due at {due}, {how}; the last one that restores came at {last}"


def _is(some: Sequence[object]) -> str:
    return "is" if len(some) == 1 else "are"


def _damaged(facts: ProfileFacts) -> str:
    shown = [
        id.label if id not in facts.faults else f"{id.label} ({facts.faults[id].value})"
        for id in facts.damaged[:_SHOWN]
    ]
    more = len(facts.damaged) - _SHOWN
    return ", ".join(shown) + (f", and {more} more" if more > 0 else "")
