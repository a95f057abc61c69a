"""Lights, and the reasons for them, as JSON."""

from __future__ import annotations

from collections.abc import Iterable

from ....domain.drills.drill import Drill
from ....domain.text.times import rfc3339
from ....domain.usecases.watching.check_profiles import Lights, ProfileBrief
from ....domain.watching.light import Concern, ConcernKind, Light, light_of

_ADVICE = {
    ConcernKind.DAMAGED: "send the same archive again, from wherever there is a copy",
    ConcernKind.UNRESTORABLE: "GET .../points shows which points restore; until what is missing is there, send a FULL",
    ConcernKind.OVERDUE: "look at the machine that sends them: its timer, its log, its disk",
    ConcernKind.BRAKED: "GET .../brake shows what changed, DELETE .../brake lets pruning go on",
    ConcernKind.PRUNE_PAUSED: "GET .../prune shows what would go, POST .../prune/approve lets it go",
    ConcernKind.SCRUB_BEHIND: "POST /api/v1/scrub has them read now, GET /api/v1/jobs shows when",
    ConcernKind.QUOTA: "raise max_bytes in profiles.toml, or keep less",
    ConcernKind.UNKNOWN: "restore it, and look",
    ConcernKind.CLOCK: "set the clock right if it is wrong, then POST /api/v1/clock/accept",
    ConcernKind.JOB_FAILED: "POST /api/v1/jobs/{job}/run runs it again",
    ConcernKind.COPY_BEHIND: "GET /api/v1/jobs/replicate/runs shows what differs and what could not be copied",
    ConcernKind.DRILL_DIFFERENT: "GET /api/v1/drills shows what differs; until it is explained, send a FULL",
    ConcernKind.DRILL_BEHIND: "run tarkeep drill run on a machine with GNU tar, or look at its timer",
    ConcernKind.NOTICES_WAIT: "they are tried again for three days; mend notify.toml or the other end",
    ConcernKind.UNDELIVERED: "mend notify.toml, or the other end of the channel",
    ConcernKind.DISK: "free space on the disk, add some, or keep less",
    ConcernKind.FULL_SOON: "add space, or keep less",
    ConcernKind.NO_CHANNEL: 'name a channel in notify.toml, or write channels = "none" there if nobody is to be told',
}


def reasons_json(concerns: Iterable[Concern]) -> list[dict[str, object]]:
    """What is not as it should be, and what to do."""
    return [
        {
            "code": concern.kind.value,
            "light": concern.light.value,
            "detail": concern.text,
            "advice": _ADVICE[concern.kind],
        }
        for concern in concerns
    ]


def profile_json(brief: ProfileBrief) -> dict[str, object]:
    """A profile with its light."""
    newest = brief.newest
    return {
        "profile": brief.profile,
        "light": brief.light.value,
        "newest": {"type": newest.type.value, "name": newest.name, "received_at": rfc3339(brief.received_at)},
        "drilled": _proof(brief.drilled),
        "rehearsed": _proof(brief.rehearsed),
        "reasons": reasons_json(brief.concerns),
    }


def _proof(drill: Drill | None) -> dict[str, object] | None:
    """The last drill, or the last rehearsal, that was judged."""
    if drill is None:
        return None
    point = {"type": drill.point.type.value, "name": drill.point.name}
    return {"outcome": drill.outcome.value, "at": rfc3339(drill.started_at), "point": point}


def status_json(server: tuple[Concern, ...], profiles: Lights) -> dict[str, object]:
    """The lights of the server and of all profiles; only those that are not green by name, the worst first."""
    told = profiles.told
    worst = [concern for concerns in (server, *(brief.concerns for brief in told[:1])) for concern in concerns]
    return {
        "light": light_of(worst).value,
        "server": {"light": light_of(server).value, "reasons": reasons_json(server)},
        "counts": {light.value: profiles.counts.get(light, 0) for light in Light},
        "profiles": [profile_json(brief) for brief in told],
    }
