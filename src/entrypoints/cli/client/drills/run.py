"""``tarkeep drill run``: one point restored where it can do no harm, and compared name by name by the server."""

from __future__ import annotations

import signal
import tempfile
from pathlib import Path
from typing import Literal

from .....domain.client.drills.run_drill import DrillWatch
from .....domain.client.ports.drilling import DrillVerdict, DueDrill
from .....domain.drills.drill import DrillWay
from .....domain.text.counted import counted
from .....domain.text.paths import path_text
from .....domain.text.sizes import human_size
from ....settings.client import ClientSettings
from ....settings.files import expanded
from ...shared.opening import opening, optional_profile, retry_notice
from ...terminal.exits import DIFFERENT, FAILED, OK
from ...terminal.output import Output
from .list import members_of

_SHOWN = 20


def run(
    profile: str | None = None,
    /,
    *,
    sandbox: Literal["auto", "bwrap", "unshare", "none"] = "auto",
    scratch: Path | None = None,
    client: ClientSettings | None = None,
) -> int:
    """
    Restore a point of a profile with the tar of this machine, and have the server compare every name with its archives.

    The server chooses the profile that waits longest, the point, and one of the two ways: the archives of its plan one
    after the other, or one tar that the server puts together. tar runs as nobody, without network, and can write only
    to an empty folder, which is removed afterwards. Before that a small chain is restored with one byte changed, and
    nothing is drilled on a machine that does not find it. Exit codes: 0 equal, or no profile is due; 1 the drill
    failed, and nothing can be said of the point; 10 there is no such profile; 12 the token lacks a scope; 13 what was
    restored differs; 14 the server did not answer.

    Parameters
    ----------
    profile
        Drill this profile, whether it is due or not. Default: the one in the settings, or else the one that is due.
    sandbox
        What keeps tar from everything else: bubblewrap, or the namespaces of unshare; auto takes the first that works.
        With none tar runs as you, and a hostile archive may do whatever you may.
    scratch
        The folder in which an empty one is made for the restore. Default: the one for temporary files.
    """
    from ....wiring.client_drills import run_drill

    settings = client or ClientSettings()
    output = Output(settings.json, settings.quiet)
    profile = optional_profile(profile, settings)
    signal.signal(signal.SIGTERM, signal.default_int_handler)
    folder = Path(tempfile.gettempdir()) if scratch is None else expanded("scratch", scratch).absolute()
    with opening(settings) as opened:
        drill = run_drill(opened, folder, sandbox)

        def sees() -> None:
            output.step(f"a changed byte in a small chain was found here (sandbox: {drill.room.sandbox})")

        def begins(due: DueDrill) -> None:
            output.result(_begins(due), status="under-way", point=str(due.point), way=due.way.value)

        verdict = drill(profile, DrillWatch(sees, begins, retry_notice(output)))
    if verdict is None:
        output.result("no profile is due for a drill", summary=True, outcome=None, exit_code=OK)
        return OK
    code = OK if verdict.is_equal else DIFFERENT if verdict.outcome == "different" else FAILED
    _tell(output, verdict, code)
    return code


def _begins(due: DueDrill) -> str:
    size = human_size(sum(archive.size_bytes for archive in due.archives))
    archives = counted(len(due.archives), "archive")
    how = (
        f"{archives} one after the other"
        if due.way is DrillWay.PLAN
        else f"one tar that the server makes from {archives}"
    )
    part = ""
    if due.folders:
        named = ", ".join(map(path_text, due.folders))
        part = f", only {100 * due.share:.1f} % of the tree: {named}"
    return f"restoring {due.point} from {how}, {size}{part}"


def _tell(output: Output, verdict: DrillVerdict, code: int) -> None:
    if output.as_json:
        output.result("", summary=True, **members_of(verdict), exit_code=code)
        return
    for path, what in verdict.differences[:_SHOWN]:
        output.result(f"{path_text(path) or 'the top directory'} {what}")
    more = verdict.different - min(_SHOWN, len(verdict.differences))
    if more > 0:
        output.result(f"and {more} more")
    if verdict.error:
        output.error(verdict.error)
    names = counted(verdict.names, "name")
    restored = f"{names}, {human_size(verdict.restored_bytes)}, in {verdict.seconds:.1f} s"
    match verdict.outcome:
        case "equal":
            line = f"{verdict.point}: equal ({restored}); not compared: {', '.join(verdict.not_compared)}"
        case "different":
            line = f"{verdict.point}: different, {verdict.different} of {verdict.expected} names ({restored}); "
            line += f"not compared: {', '.join(verdict.not_compared)}"
        case _:
            line = f"{verdict.point}: the drill {verdict.outcome}"
    output.result(line)
