"""``tarkeep trash``: what was removed, and bringing it back."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime
from typing import Any

from ....domain.identity.naming import check_profile
from ....domain.text.counted import counted
from ....domain.text.sizes import human_size
from ...settings.server import StorageSettings
from ..shared.host import archive_named, asking, refused
from ..terminal.columns import in_columns
from ..terminal.exits import OK
from ..terminal.output import Output
from .serve import Unused


def list_(
    profile: str | None = None,
    /,
    *,
    all: bool = False,
    json: bool = False,
    storage: StorageSettings | None = None,
    _server: Unused = None,
) -> int:
    """
    List the archives that were removed, until when each can be brought back, and why it was removed.

    Parameters
    ----------
    profile
        Only archives of this profile.
    all
        Also those whose bytes are gone, and whose names are still known.
    json
        Print each as a JSON object.
    """
    from ...http.host_door import HostRefused, target

    output = Output(json, quiet=False)
    query = "" if profile is None else f"?profile={check_profile(profile)}"
    with asking(storage) as door:
        try:
            told = door.ask("GET", target("trash") + query)["archives"]
        except HostRefused as error:
            return refused(output, error)
    shown = [archive for archive in told if all or archive["purged_at"] is None]
    for archive, line in in_columns(shown, _cells, right=[1]):
        output.result(line, **archive)
    if not shown and not json:
        output.message("the trash is empty" if profile is None else f"the trash has nothing of {profile}")
    return OK


def undelete(
    profile: str,
    archive: str,
    /,
    *,
    json: bool = False,
    storage: StorageSettings | None = None,
    _server: Unused = None,
) -> int:
    """
    Bring an archive back from the trash, with everything in the trash that it builds on.

    The retention policy would remove them again; tarkeep hold add keeps them. Exit codes: 0 they are back, 1 the
    archive is not in the trash, 10 there is no such archive.

    Parameters
    ----------
    profile
        The profile of the archive.
    archive
        The archive, as TYPE/NAME.
    json
        Print what came back as one JSON object.
    """
    from ...http.host_door import HostRefused, target

    output, id = Output(json, quiet=False), archive_named(profile, archive)
    with asking(storage) as door:
        try:
            told = door.ask("POST", target("profiles", profile, "archives", id.type.value, id.name, "undelete"))
        except HostRefused as error:
            advice = f"tarkeep trash list {profile} shows what is" if error.code == "not-in-trash" else ""
            return refused(output, error, advice)
    if json:
        output.result("", **told)
        return OK
    back = told["archives"]
    for one in back:
        output.result(f"brought back  {one['type']}/{one['name']}")
    output.result(f"{profile}: {counted(len(back), 'archive')} brought back")
    return OK


def _cells(archive: dict[str, Any]) -> Sequence[str]:
    purged, until = archive["purged_at"], archive["keep_until"]
    kept = "its note cannot be read" if until is None else f"until {_day(until)}"
    return (
        f"{archive['profile']}/{archive['type']}/{archive['name']}",
        "" if archive["size"] is None else human_size(archive["size"]),
        f"bytes gone since {_day(purged)}" if purged is not None else kept,
        "; ".join(archive["reasons"]),
    )


def _day(moment: str) -> str:
    return f"{datetime.fromisoformat(moment):%Y-%m-%d %H:%M}Z"
