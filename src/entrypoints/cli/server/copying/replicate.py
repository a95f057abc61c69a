"""``tarkeep replicate``: copying the archives of another server, and healing damaged ones from there."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Any

from cyclopts import Parameter

from .....domain.text.counted import counted
from ....settings.server import StorageSettings
from ...shared.host import asking, refused
from ...terminal.exits import DIFFERENT, FAILED, OK, PARTLY, USAGE
from ...terminal.output import Output
from ..job import ended
from ..serve import Unused


def replicate(
    *,
    from_: Annotated[str | None, Parameter(name="--from")] = None,
    profile: tuple[str, ...] = (),
    token_file: Path | None = None,
    cacert: Path | None = None,
    fingerprint: str | None = None,
    json: bool = False,
    storage: StorageSettings | None = None,
    _server: Unused = None,
) -> int:
    """
    Copy every archive that another server has and this one lacks, and heal damaged ones from there.

    What comes is received like an upload, with its SHA-256, and keeps the receipt, the parent and the snapshot file
    that it has there. Nothing here is removed or replaced, whatever the other server lacks; what this server's policy
    removed is not copied again. If no server runs on the data directory, this command does it itself. A token of the
    other server needs the scopes list and pull: TARKEEP_TOKEN may contain it.

    Exit codes: 0 all is here; 1 nothing could be copied; 3 something could not be copied, or it was interrupted; 13
    something has other bytes there than here.

    Parameters
    ----------
    from_
        The address of the other server. Default: what replicate_from says, with the other settings of that name.
    profile
        A pattern of the profiles to copy; may be repeated. Default: all that the token may list.
    token_file
        A file with a token of the other server.
    cacert
        A PEM file with the authorities to trust for its certificate. Default: those the system trusts.
    fingerprint
        The SHA-256 of its certificate; only this certificate is then trusted, whoever signed it.
    json
        Print the run as a JSON object.
    """
    from ....http.host_door import HostRefused, target
    from ....settings.replicate import given_token, peer_address

    output = Output(json, quiet=False)
    body: dict[str, object] | None = None
    if from_ is not None:
        address = peer_address(from_, given_token(token_file), profile, cacert, fingerprint)
        body = {"from": address.url, "token": address.token, "profiles": address.profiles}
        body |= {"cacert": address.cacert, "fingerprint": address.fingerprint}
    with asking(storage) as door:
        try:
            if body is None:
                told = door.ask("POST", target("jobs", "replicate", "run"))
            else:
                told = door.ask("POST", target("replicate"), body)
            told = ended(door, told["job"], told["run"])
        except HostRefused as error:
            advice = {409: "tarkeep job list shows what it came to"}
            return refused(output, error, advice.get(error.status, ""))
    if told["outcome"] == "nothing" and not told["counts"]:
        output.error(f"{told['summary']}: name it with --from, or set replicate_from for the server")
        return USAGE
    return _show(output, told)


def _show(output: Output, told: dict[str, Any]) -> int:
    output.result(told["summary"] or told["error"], **told)
    counts = told["counts"]
    if not output.as_json:
        for remark in (*told["waits"], *told["problems"]):
            output.result(f"{'' if remark['profile'] is None else remark['profile'] + ': '}{remark['detail']}")
        if counts.get("differing"):
            differing = counted(counts["differing"], "archive has", "archives have")
            output.result(f"{differing} other bytes there: one of the two sides is not what it was, find out which")
    if told["outcome"] == "failed" and not counts.get("archives"):
        return FAILED
    if told["problems"] or told["outcome"] in ("interrupted", "failed"):
        return PARTLY
    return DIFFERENT if told["waits"] else OK
