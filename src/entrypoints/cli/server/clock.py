"""``tarkeep clock``: what the server makes of this machine's clock."""

from __future__ import annotations

from ...settings.server import StorageSettings
from ..shared.host import asking, refused
from ..terminal.exits import OK
from ..terminal.output import Output
from .serve import Unused


def accept(*, json: bool = False, storage: StorageSettings | None = None, _server: Unused = None) -> int:
    """
    Say that this machine's clock is right, after the server had a doubt about it.

    After a jump of the clock, or a start that does not fit the time that was noted before, nothing is pruned and the
    trash keeps everything until this is said. Look at the clock first: date.

    Parameters
    ----------
    json
        Print the note about the clock as one JSON object.
    """
    from ...http.host_door import HostRefused, target

    output = Output(json, quiet=False)
    with asking(storage) as door:
        try:
            told = door.ask("POST", target("clock", "accept"))
        except HostRefused as error:
            return refused(output, error)
    output.result(f"the clock shows {told['seen_at']} and is trusted from now on", **told)
    return OK
