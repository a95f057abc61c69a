"""``tarkeep scrub``: reading stored archives again now, and what that shows."""

from __future__ import annotations

from ....domain.identity.naming import check_profile
from ...settings.server import StorageSettings
from ..shared.host import asking, refused
from ..terminal.exits import DIFFERENT, FAILED, OK, PARTLY
from ..terminal.output import Output
from .job import ended
from .serve import Unused


def scrub(
    profile: str | None = None,
    /,
    *,
    json: bool = False,
    storage: StorageSettings | None = None,
    _server: Unused = None,
) -> int:
    """
    Read the stored archives again, and show what is damaged.

    They are read from the disk and not from the page cache, with all that is kept beside them. The server does this by
    itself with every archive once in --scrub-every. An archive that is found damaged is repaired by sending the same
    archive again; one that was, and is right now, is stored again. If no server runs, this command reads.

    Exit codes: 0 all is right; 1 nothing could be read; 3 something could not be read, or was made right; 10 there is
    no such profile; 13 something is damaged.

    Parameters
    ----------
    profile
        Read all archives of this profile, and of others only those that are due. Default: all.
    json
        Print the run as a JSON object.
    """
    from ...http.host_door import HostRefused, target

    output = Output(json, quiet=False)
    query = {} if profile is None else {"profile": check_profile(profile)}
    with asking(storage) as door:
        try:
            told = door.ask("POST", target("scrub", **query))
            told = ended(door, told["job"], told["run"])
        except HostRefused as error:
            return refused(output, error)
    output.result(told["summary"] or told["error"], **told)
    if not json:
        for remark in told["problems"]:
            output.result(f"{'' if remark['profile'] is None else remark['profile'] + ': '}{remark['detail']}")
    if told["counts"].get("damaged"):
        return DIFFERENT
    if told["outcome"] == "failed":
        return FAILED
    return PARTLY if told["problems"] or told["outcome"] == "interrupted" else OK
