"""``tarkeep check``: whether everything is as it should be, and if not, what to do."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from .....domain.identity.naming import check_profile
from .....domain.text.counted import counted
from .....domain.watching.light import ConcernKind, Light
from ....remedies import remedy
from ....settings.server import StorageSettings
from ...shared.host import asking, refused
from ...terminal.exits import DIFFERENT, OK, PARTLY, PAUSED
from ...terminal.output import Output
from ..serve import Unused

_DAMAGE = {ConcernKind.DAMAGED.value, ConcernKind.UNRESTORABLE.value, ConcernKind.DRILL_DIFFERENT.value}


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
        output.result(f"        {remedy(ConcernKind(concern['code']), of)}")


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
