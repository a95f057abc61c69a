"""``tarkeep hold`` and ``tarkeep lock``: keeping archives whatever the retention policy says."""

from __future__ import annotations

from datetime import datetime
from typing import Any

from ....domain.errors.settings import UsageError
from ....domain.retention.marks import check_hold_id
from ....domain.text.times import rfc3339
from ...settings.server import StorageSettings
from ..shared.host import archive_named, asking, refused
from ..shared.moments import AHEAD_EXAMPLES, moment_ahead, tell_zone
from ..terminal.exits import OK
from ..terminal.output import Output
from .serve import Unused


def add(
    profile: str,
    archive: str,
    /,
    *,
    id: str,
    reason: str,
    until: str | None = None,
    json: bool = False,
    storage: StorageSettings | None = None,
    _server: Unused = None,
) -> int:
    """
    Keep an archive, and everything it builds on, until the hold is released.

    A hold in force is not replaced: release it first, or use another id. Exit codes: 0 it is held, 1 it is not, 10
    there is no such archive.

    Parameters
    ----------
    profile
        The profile of the archive.
    archive
        The archive, as TYPE/NAME.
    id
        A name for the hold, by which it is released: letters, digits and hyphens.
    reason
        Why it is held, for whoever wants to remove it.
    until
        When the hold ends by itself, such as 2027-12-31 or 30d. Default: never.
    json
        Print its marks as one JSON object.
    """
    output = Output(json, quiet=False)
    _check_id(id)
    body = {"reason": reason} if until is None else {"reason": reason, "until": _time(until, output)}
    return _marked(profile, archive, "PUT", ("holds", id), body, storage, output)


def release(
    profile: str,
    archive: str,
    /,
    *,
    id: str,
    json: bool = False,
    storage: StorageSettings | None = None,
    _server: Unused = None,
) -> int:
    """
    Release a hold of an archive.

    Exit codes: 0 it is released, 1 it is not, 10 there is no such archive, or no such hold.

    Parameters
    ----------
    profile
        The profile of the archive.
    archive
        The archive, as TYPE/NAME.
    id
        The name of the hold.
    json
        Print its marks as one JSON object.
    """
    _check_id(id)
    return _marked(profile, archive, "DELETE", ("holds", id), None, storage, Output(json, quiet=False))


def _check_id(id: str) -> None:
    """Beforehand: a name with a slash would be another address."""
    try:
        check_hold_id(id)
    except ValueError as error:
        raise UsageError("--id", str(error)) from None


def list_(
    profile: str,
    archive: str,
    /,
    *,
    json: bool = False,
    storage: StorageSettings | None = None,
    _server: Unused = None,
) -> int:
    """
    List the holds and the lock of an archive.

    Exit codes: 0 they are listed, 10 there is no such archive.

    Parameters
    ----------
    profile
        The profile of the archive.
    archive
        The archive, as TYPE/NAME.
    json
        Print its marks as one JSON object.
    """
    return _marked(profile, archive, "GET", ("marks",), None, storage, Output(json, quiet=False))


def lock(
    profile: str,
    archive: str,
    /,
    *,
    until: str,
    json: bool = False,
    storage: StorageSettings | None = None,
    _server: Unused = None,
) -> int:
    """
    Keep an archive, and everything it builds on, until a time. Nobody can make a lock shorter or remove it.

    Exit codes: 0 it is locked, 1 it is not, 10 there is no such archive.

    Parameters
    ----------
    profile
        The profile of the archive.
    archive
        The archive, as TYPE/NAME.
    until
        The end of the lock, such as 2033-12-31 or 6m (months).
    json
        Print its marks as one JSON object.
    """
    output = Output(json, quiet=False)
    return _marked(profile, archive, "PUT", ("lock",), {"until": _time(until, output)}, storage, output)


def _time(text: str, output: Output) -> str:
    try:
        moment = moment_ahead(text, datetime.now())
    except ValueError:
        raise UsageError("--until", f"{text[:80]!r} is not a time; give one such as {AHEAD_EXAMPLES}") from None
    tell_zone("--until", text, moment, output)
    return rfc3339(moment.replace(microsecond=0))


def _marked(
    profile: str,
    archive: str,
    method: str,
    place: tuple[str, ...],
    body: object,
    storage: StorageSettings | None,
    output: Output,
) -> int:
    from ...http.host_door import HostRefused, target

    of = archive_named(profile, archive)
    with asking(storage) as door:
        try:
            told = door.ask(method, target("profiles", profile, "archives", of.type.value, of.name, *place), body)
        except HostRefused as error:
            advice = ""
            if error.code == "removed":
                advice = f"if it is still in the trash: tarkeep trash undelete {profile} {of.label}"
            return refused(output, error, advice)
    if output.as_json:
        output.result("", **told)
        return OK
    for line in _lines(told):
        output.result(f"{of.label}: {line}")
    return OK


def _lines(marks: dict[str, Any]) -> list[str]:
    if not marks["readable"]:
        return ["its marks cannot be read, and count as a hold"]
    lines = [
        f"hold {hold['id']}" + (f" until {hold['until']}" if hold["until"] else "") + f": {hold['reason']}"
        for hold in marks["holds"]
    ]
    if marks["locked_until"]:
        lines.append(f"locked until {marks['locked_until']}")
    return lines or ["no holds and no lock"]
