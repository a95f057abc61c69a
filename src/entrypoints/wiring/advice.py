"""What a person can do about what is told, in the words of the command line."""

from __future__ import annotations

from ...domain.notices.event import Event

_SEND_AGAIN = "send the same archive again, from wherever there is a copy"
_ADVICE = {
    Event.OVERDUE: "look at the machine that sends them: its timer, its log, its disk",
    Event.UNRESTORABLE: (
        "tarkeep points {profile} shows which points restore; until what is missing is there, send a FULL"
    ),
    Event.DAMAGED: _SEND_AGAIN,
    Event.UNSTABLE: "test the memory, the cables and the disk of the server",
    Event.SCRUB_BEHIND: "tarkeep scrub {profile} reads them now, tarkeep job list shows when that happens by itself",
    Event.DRILL_DIFFERENT: "tarkeep points {profile} shows which points restore; send a FULL",
    Event.DRILL_BEHIND: "look at the timer of the drills",
    Event.BRAKED: "tarkeep brake show {profile} shows what changed, and how to let pruning go on",
    Event.PRUNE_PAUSED: (
        "tarkeep prune plan {profile} shows what would go, tarkeep prune approve {profile} lets it go"
    ),
    Event.CLOCK_JUMPED: "set the clock right if it is wrong, then run tarkeep clock accept",
    Event.DISK: "free space on the disk, add some, or keep less",
    Event.JOB_FAILED: "tarkeep job list shows the jobs, tarkeep job run runs one again",
    Event.UNDELIVERED: "tarkeep notify test tries the channels; mend notify.toml or the other end",
}


def advice(event: Event, profile: str | None) -> str:
    """What to do about *event*, of *profile* or of the server, without a full stop."""
    return _ADVICE[event].format(profile="" if profile is None else profile).replace("  ", " ")
