"""
``tarkeep prune``: what the retention policy of a profile would remove, and removing it.

These commands speak to the server that runs on this host, or open the data directory if none does.
"""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime
from typing import TYPE_CHECKING, Any

from ....domain.errors.retention import PlanChanged, PruneCutOff
from ....domain.errors.settings import HostServerEnded, UsageError
from ....domain.identity.naming import check_profile
from ....domain.text.counted import counted
from ....domain.text.sizes import human_size
from ...settings.server import StorageSettings
from ..shared.host import asking, refused
from ..terminal.columns import in_columns
from ..terminal.exits import OK, PAUSED
from ..terminal.output import Output
from .serve import Unused

if TYPE_CHECKING:
    from ...http.host_door import HostDoor, HostRefused

_SHOWN = 12
_SHORTEST = 8
_DIGITS = 64
_TRIES = 3


def plan(profile: str, /, *, json: bool = False, storage: StorageSettings | None = None, _server: Unused = None) -> int:
    """
    Show for every archive of a profile whether the retention policy would keep it, and why. Nothing is changed.

    Exit codes: 0 the plan is shown, 10 there is no such profile, 15 carrying it out would wait for a person.

    Parameters
    ----------
    profile
        The profile to plan for.
    json
        Print the plan as one JSON object.
    """
    from ...http.host_door import HostRefused, target

    output = Output(json, quiet=False)
    with asking(storage) as door:
        try:
            told = door.ask("GET", target("profiles", check_profile(profile), "prune"))
        except HostRefused as error:
            return refused(output, error)
    if json:
        output.result("", **told)
    else:
        _show(output, told)
    return PAUSED if told["verdict"] == "paused" else OK


def apply(
    profile: str,
    /,
    *,
    plan: str | None = None,
    json: bool = False,
    storage: StorageSettings | None = None,
    _server: Unused = None,
) -> int:
    """
    Move to the trash what the retention policy of a profile removes. From there it can be brought back for a while.

    Exit codes: 0 it is done, or there was nothing to do; 1 the plan is out of date; 10 there is no such profile; 15 the
    plan waits for a person; in these three cases nothing was removed. 14 the server ended while it removed archives:
    those that it had moved are in the trash, and tarkeep prune plan shows the rest.

    Parameters
    ----------
    profile
        The profile to prune.
    plan
        Carry out this plan only: its digest, or the beginning of it, as tarkeep prune plan prints it. Default: the
        present plan.
    json
        Print the plan that was carried out as one JSON object.
    """
    return _carry_out(profile, plan, "prune", Output(json, quiet=False), storage)


def approve(
    profile: str,
    /,
    *,
    plan: str,
    json: bool = False,
    storage: StorageSettings | None = None,
    _server: Unused = None,
) -> int:
    """
    Carry out a plan that is paused because it removes more than largest_share of a profile at once.

    Exit codes: as tarkeep prune apply.

    Parameters
    ----------
    profile
        The profile to prune.
    plan
        The plan: its digest, or the beginning of it, as tarkeep prune plan prints it.
    json
        Print the plan that was carried out as one JSON object.
    """
    return _carry_out(profile, plan, "approve", Output(json, quiet=False), storage)


def _carry_out(profile: str, plan: str | None, how: str, output: Output, storage: StorageSettings | None) -> int:
    from ...http.host_door import HostRefused

    check_profile(profile)
    with asking(storage) as door:
        try:
            told = carried_out(door, profile, plan, how, output)
        except HostRefused as error:
            advice = ""
            if error.members.get("approvable"):
                advice = f"tarkeep prune approve {profile} --plan {error.members['plan'][:12]}"
            elif error.code == "plan-changed":
                advice = f"tarkeep prune plan {profile} shows the present one"
            elif error.code == "prune-paused":
                advice = f"tarkeep prune plan {profile} shows what to do"
            return refused(output, error, advice)
    removed = told["removes"]
    if output.as_json:
        output.result("", **told)
    elif removed["archives"]:
        for decision in told["decisions"]:
            if not decision["kept"]:
                output.result(f"moved to the trash  {decision['type']}/{decision['name']}")
        output.result(
            f"{profile}: {counted(removed['archives'], 'archive')} ({human_size(removed['size'])}) moved to the trash, "
            f"{told['keeps']['archives']} kept; tarkeep trash list {profile} shows until when they can be brought back"
        )
    else:
        output.result(f"{profile}: nothing to remove, {told['keeps']['archives']} kept")
    return OK


def carried_out(door: HostDoor, profile: str, plan: str | None, how: str, output: Output) -> dict[str, Any]:
    """
    The plan that was carried out.

    Without a stated *plan* it is the present one, whichever that is: if something came between planning and doing it,
    it is planned anew, a few times.

    Raises:
        HostRefused: the plan is another one by now, or waits for a person.
        PruneCutOff: the server ended meanwhile.
    """
    from ...http.host_door import HostRefused, target

    place = target("profiles", profile, "prune")
    for left in reversed(range(_TRIES)):
        digest = _digest(door, profile, plan)
        try:
            told: dict[str, Any] = door.ask("POST", place if how == "prune" else f"{place}/approve", {"plan": digest})
        except HostServerEnded as error:
            raise PruneCutOff(profile, digest) from error
        except HostRefused as error:
            if plan is not None or error.code != "plan-changed" or not left:
                error.members.setdefault(
                    "plan", digest
                )  # of a plan that is out of date the server tells the present one
                raise
            output.message(f"{error.detail}; carrying out the present plan")
        else:
            return told
    raise AssertionError("the last try ends by itself")


def _digest(door: HostDoor, profile: str, stated: str | None) -> str:
    """The whole digest of the plan *stated*, or of the present one. Raises HostRefused."""
    from ...http.host_door import target

    if stated is not None and len(stated) == _DIGITS:
        return stated
    if stated is not None and len(stated) < _SHORTEST:
        raise UsageError("--plan", f"give at least {_SHORTEST} digits of the plan's digest")
    present = str(door.ask("GET", target("profiles", profile, "prune"))["plan"])
    if stated is None or present.startswith(stated):
        return present
    raise _out_of_date(profile, stated, present)


def _out_of_date(profile: str, stated: str, present: str) -> HostRefused:
    """As the server refuses a plan that is not the present one; of the stated plan only the beginning is known."""
    from ...http.host_door import HostRefused

    detail = str(PlanChanged(profile, stated, present))
    members = {"code": "plan-changed", "status": 409, "detail": detail, "error": detail, "plan": present}
    return HostRefused(409, "plan-changed", detail, members)


def _show(output: Output, told: dict[str, Any]) -> None:
    rows = [(decision, _cells(decision)) for decision in told["decisions"]]
    for _, line in in_columns(rows, lambda row: row[1], right=[3]):
        output.result(line)
    profile, keeps, removes = told["profile"], told["keeps"], told["removes"]
    if not told["policy"]:
        output.result(
            f"{profile}: no retention policy, so nothing is ever removed; a table [{profile}.retention] in "
            "profiles.toml makes one"
        )
        return
    if not removes["archives"]:
        kept = counted(keeps["archives"], "archive is kept", "archives are kept")
        output.result(f"{profile}: {kept}, nothing to remove")
        return
    output.result(
        f"{profile}: {removes['archives']} of {counted(keeps['archives'] + removes['archives'], 'archive')} would go "
        f"({human_size(removes['size'])}), plan {told['plan'][:12]}"
    )
    for pause in told["pauses"]:
        output.result(f"paused: {pause['detail']}")
    codes = {pause["code"] for pause in told["pauses"]}
    if "brake" in codes:
        output.result(f"to see what to look at: tarkeep brake show {profile}")
    if "clock" in codes:
        output.result("if the clock of this machine is right: tarkeep clock accept; then plan again")
    if codes & {"brake", "clock"}:
        return
    how = "approve" if told["pauses"] else "apply"
    output.result(f"to carry it out: tarkeep prune {how} {profile} --plan {told['plan'][:12]}")


def _cells(decision: dict[str, Any]) -> Sequence[str]:
    received = datetime.fromisoformat(decision["received_at"])
    reasons = [reason["detail"] for reason in decision["reasons"]]
    more = f"; and {len(reasons) - _SHOWN} more" if len(reasons) > _SHOWN else ""
    return (
        "kept" if decision["kept"] else "goes",
        f"{decision['type']}/{decision['name']}",
        f"received {received:%Y-%m-%d %H:%M}Z",
        human_size(decision["size"]),
        "; ".join(reasons[:_SHOWN]) + more,
    )
