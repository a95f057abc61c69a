"""``tarkeep prune simulate``: what the retention policy of a profile keeps in the coming time."""

from __future__ import annotations

from datetime import datetime
from pathlib import Path
from typing import Any

from ....domain.errors.settings import UsageError
from ....domain.identity.naming import check_profile
from ....domain.text.counted import counted
from ....domain.text.sizes import human_size
from ...settings.server import StorageSettings
from ..shared.host import asking, refused
from ..terminal.columns import in_columns
from ..terminal.exits import OK
from ..terminal.line_chart import line_chart
from ..terminal.output import Output
from .serve import Unused

_ROWS = 14


def simulate(
    profile: str,
    /,
    *,
    days: int = 400,
    every: list[str] | None = None,
    svg: Path | None = None,
    json: bool = False,
    storage: StorageSettings | None = None,
    _server: Unused = None,
) -> int:
    """
    Show how much the retention policy of a profile keeps in the coming time, and what each of its rules costs.

    Further archives come as often as so far, and each day what the policy removes is removed. Nothing is changed.

    Parameters
    ----------
    profile
        The profile.
    days
        How many days to look ahead.
    every
        How often archives of a type come, such as FULL=7d or INC=1d, or at which times, as a cron line in the time
        zone of the profile: "FULL=0 2 * * 0". Give one for each type. Default: as often as so far.
    svg
        Draw the bytes and the number of archives into this file.
    json
        Print every day as one JSON object.
    """
    from ...http.host_door import HostRefused, target

    output = Output(json, quiet=False)
    body = {"days": days, "every": _stated(every or [])}
    with asking(storage) as door:
        try:
            told = door.ask("POST", target("profiles", check_profile(profile), "prune", "simulate"), body)
        except HostRefused as error:
            advice = "give fewer --days, or say with --every how often archives will come"
            return refused(output, error, advice if error.code == "too-long" else "")
    if svg is not None:
        svg.write_text(_drawn(profile, told["days"]), encoding="utf-8")
    if json:
        output.result("", **told)
    else:
        _show(output, told)
    return OK


def _stated(options: list[str]) -> dict[str, str]:
    """What is stated for each type. Raises UsageError."""
    found: dict[str, str] = {}
    for text in options:
        type, equals, stated = text.partition("=")
        if not equals:
            raise UsageError("--every", f"{text!r} is not a type and a span or a cron line, such as FULL=7d")
        if type in found:
            raise UsageError("--every", f"{type} is given twice, as {found[type]} and as {stated}; give it once")
        found[type] = stated
    return found


def _show(output: Output, told: dict[str, Any]) -> None:
    days = told["days"]
    step = max(1, len(days) // _ROWS)
    shown = [*days[step - 1 : -1 : step], days[-1]]
    for _, line in in_columns(shown, _cells, right=[1, 2, 3, 4]):
        output.result(line)
    for setting, size in told["alone"].items():
        output.result(f"without {setting}, {human_size(size) if size else 'nothing'} less would be kept at the end")
    last = days[-1]
    output.result(
        f"{told['profile']}: after {counted(len(days), 'day')} {counted(last['points'], 'point')} in "
        f"{counted(last['archives'], 'archive')}, {human_size(last['size'])}; at most "
        f"{human_size(max(day['size'] for day in days))} on the way"
    )


def _cells(day: dict[str, Any]) -> tuple[str, ...]:
    return (
        f"{datetime.fromisoformat(day['at']):%Y-%m-%d}",
        counted(day["points"], "point"),
        counted(day["archives"], "archive"),
        human_size(day["size"]),
        f"chains of up to {day['longest_chain']}",
    )


def _drawn(profile: str, days: list[dict[str, Any]]) -> str:
    first, last = (f"{datetime.fromisoformat(days[at]['at']):%Y-%m-%d}" for at in (0, -1))
    return line_chart(
        f"{profile}, {first} to {last}",
        [
            ("bytes", [day["size"] for day in days], human_size(max(day["size"] for day in days))),
            ("archives", [day["archives"] for day in days], str(max(day["archives"] for day in days))),
        ],
    )
