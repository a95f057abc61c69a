"""``tarkeep check``: whether everything is as it should be, and if not, what to do."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from .....domain.identity.naming import check_profile
from .....domain.text.counted import counted
from .....domain.watching.light import ConcernKind, Light
from ....settings.server import StorageSettings
from ...shared.host import asking, refused
from ...terminal.exits import DIFFERENT, OK, PARTLY, PAUSED
from ...terminal.output import Output
from ..serve import Unused

_DAMAGE = {ConcernKind.DAMAGED.value, ConcernKind.UNRESTORABLE.value, ConcernKind.DRILL_DIFFERENT.value}

_ADVICE = {
    ConcernKind.DAMAGED.value: "send the same archive again, from wherever there is a copy",
    ConcernKind.UNRESTORABLE.value: (
        "tarkeep points {profile} shows which points restore; until what is missing is there, send a FULL"
    ),
    ConcernKind.OVERDUE.value: "look at the machine that sends them: its timer, its log, its disk",
    ConcernKind.BRAKED.value: "tarkeep brake show {profile} shows what changed, and how to let pruning go on",
    ConcernKind.PRUNE_PAUSED.value: (
        "tarkeep prune plan {profile} shows what would go, tarkeep prune approve {profile} lets it go"
    ),
    ConcernKind.SCRUB_BEHIND.value: (
        "tarkeep scrub {profile} reads them now, tarkeep job list shows when that happens by itself"
    ),
    ConcernKind.QUOTA.value: "raise max_bytes in profiles.toml, or keep less",
    ConcernKind.UNKNOWN.value: "restore it, and look: tarkeep restore {profile}",
    ConcernKind.CLOCK.value: "set the clock right if it is wrong, then run tarkeep clock accept",
    ConcernKind.JOB_FAILED.value: "tarkeep job list shows the jobs, tarkeep job run runs one again",
    ConcernKind.DRILL_DIFFERENT.value: (
        "tarkeep drill list {profile} shows the drills; until it is explained, send a FULL: tarkeep points {profile}"
    ),
    ConcernKind.DRILL_BEHIND.value: "run tarkeep drill run {profile} on a machine with GNU tar, or look at its timer",
    ConcernKind.UNDELIVERED.value: "tarkeep notify test tries the channels; mend notify.toml or the other end",
    ConcernKind.NOTICES_WAIT.value: (
        "tarkeep notify test tries the channels; mend notify.toml or the other end: they are sent again for three days"
    ),
    ConcernKind.DISK.value: "free space on the disk, add some, or keep less",
}


def check(
    profile: str | None = None,
    /,
    *,
    json: bool = False,
    storage: StorageSettings | None = None,
    _server: Unused = None,
) -> int:
    """
    Say whether everything is as it should be, and if not, why, and what to do.

    A profile is red if somebody has to look at it now, yellow if there is time, grey if nothing is known yet, and green
    otherwise. Exit codes: 0 nothing is yellow or red; 3 something is yellow; 10 there is no such profile; 13 something
    is damaged, or a newest point does not restore; 15 something else is red.

    Parameters
    ----------
    profile
        Only this profile. Default: the server and all profiles.
    json
        Print the answer as one JSON object.
    """
    from ....http.host_door import HostRefused, target

    output = Output(json, quiet=False)
    place = target("status") if profile is None else target("profiles", check_profile(profile), "status")
    with asking(storage) as door:
        try:
            told = door.ask("GET", place)
        except HostRefused as error:
            return refused(output, error)
    shown = [told] if profile is not None else told["profiles"]
    concerns = [concern for one in shown for concern in one["reasons"]]
    if profile is None:
        concerns += told["server"]["reasons"]
    if json:
        output.result("", **told)
    else:
        if profile is None:
            _tell(output, "server", told["server"]["reasons"])
        for one in shown:
            _tell(output, one["profile"], one["reasons"])
        output.result(f"{profile}: {told['light']}" if profile is not None else _summary(told["counts"]))
    return _exit_code(concerns)


def _tell(output: Output, of: str, concerns: Sequence[Mapping[str, Any]]) -> None:
    for concern in concerns:
        output.result(f"{concern['light']:6}  {of}: {concern['detail']}")
        output.result(f"        {_ADVICE[concern['code']].format(profile=of)}")


def _summary(counts: Mapping[str, int]) -> str:
    lights = ", ".join(f"{counts[light.value]} {light.value}" for light in reversed(Light) if counts[light.value])
    return f"{counted(sum(counts.values()), 'profile')}{': ' if lights else ''}{lights}"


def _exit_code(concerns: Sequence[Mapping[str, Any]]) -> int:
    lights = {concern["light"] for concern in concerns}
    if any(concern["code"] in _DAMAGE for concern in concerns):
        return DIFFERENT
    if Light.RED.value in lights:
        return PAUSED
    return PARTLY if Light.YELLOW.value in lights else OK
