"""``tarkeep brake``: why pruning a profile is stopped, and letting it go on."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from ....domain.identity.naming import check_profile
from ....domain.text.counted import counted
from ...settings.server import StorageSettings
from ..shared.host import archive_named, asking, refused
from ..terminal.exits import OK, PAUSED
from ..terminal.output import Output
from .serve import Unused


def show(profile: str, /, *, json: bool = False, storage: StorageSettings | None = None, _server: Unused = None) -> int:
    """
    Show which archives of a profile were suspicious when they arrived, and why, and of which the marks cannot be read:
    until somebody has looked, nothing of it is pruned.

    Exit codes: 0 nothing is suspicious, 10 there is no such profile, 15 somebody has to look.

    Parameters
    ----------
    profile
        The profile.
    json
        Print the answer as one JSON object.
    """
    from ...http.host_door import HostRefused, target

    output = Output(json, quiet=False)
    with asking(storage) as door:
        try:
            told = door.ask("GET", target("profiles", check_profile(profile), "brake"))
        except HostRefused as error:
            return refused(output, error)
    if json:
        output.result("", **told)
        return PAUSED if told["suspicious"] or told["unreadable"] else OK
    _tell(output, profile, told["suspicious"], told["unreadable"])
    return PAUSED if told["suspicious"] or told["unreadable"] else OK


def _tell(
    output: Output, profile: str, suspicious: Sequence[Mapping[str, Any]], unreadable: Sequence[Mapping[str, Any]]
) -> None:
    for one in suspicious:
        for sign in one["signs"]:
            output.result(f"{_label(one)}: {sign['detail']}")
    for one in unreadable:
        output.result(f"{_label(one)}: its marks cannot be read, and may say that it is suspicious")
    if suspicious:
        last = suspicious[-1]
        output.result(f"{profile}: {counted(len(suspicious), 'archive')} suspicious, so nothing is pruned")
        output.result(f"to see what is in the last one: tarkeep ls {profile} --recursive --long --at {last['name']}")
        output.result(f"if all is as it should be:      tarkeep brake release {profile} --to {_label(last)}")
    if unreadable:
        output.result(f"{profile}: {counted(len(unreadable), 'archive')} with damaged marks, so nothing is pruned")
        output.result(f"look at what is there, then mend or remove the file {profile}/{_label(unreadable[-1])}.marks")
    if not suspicious and not unreadable:
        output.result(f"{profile}: nothing is suspicious")


def _label(one: Mapping[str, Any]) -> str:
    return f"{one['type']}/{one['name']}"


def release(
    profile: str,
    /,
    *,
    to: str,
    json: bool = False,
    storage: StorageSettings | None = None,
    _server: Unused = None,
) -> int:
    """
    Say that an archive, and those received before it, are as they should be: pruning goes on.

    What came later and is suspicious, too, keeps the brake; so does an archive whose marks cannot be read. Exit codes:
    0 pruning goes on, 10 there is no such archive, 15 another archive still stops it.

    Parameters
    ----------
    profile
        The profile.
    to
        The last archive that you have looked at, as TYPE/NAME.
    json
        Print the answer as one JSON object.
    """
    from ...http.host_door import HostRefused, target

    output = Output(json, quiet=False)
    of = archive_named(profile, to)
    with asking(storage) as door:
        try:
            told = door.ask("DELETE", target("profiles", profile, "brake", to=of.label))
        except HostRefused as error:
            return refused(output, error)
    left = told["braked_by"]
    if json:
        output.result("", **told)
        return PAUSED if left else OK
    for one in told["released"]:
        output.result(f"trusted  {_label(one)}")
    if left:
        output.result(f"{profile}: still stopped by {counted(len(left), 'archive')}; tarkeep brake show {profile}")
        return PAUSED
    output.result(f"{profile}: pruning goes on")
    return OK
