"""How the damage of an archive on a server is told."""

from __future__ import annotations

from ....domain.scrubbing.findings import Fault

_WORDS = {
    Fault.MISSING: ("its file is missing there", "its file was missing there"),
    Fault.LENGTH: ("its file there has another length", "its file there had another length"),
    Fault.DIGEST: ("its bytes there are not what was received", "its bytes there were not what had been received"),
    Fault.UNREADABLE: ("it cannot be read there to its end", "it could not be read there to its end"),
}


def damage_told(fault: str | None, *, was: bool = False) -> str:
    """What to put behind a damaged archive that is, or *was*, so as *fault* says; empty if that is unknown."""
    return "" if fault is None else f"; {_WORDS[Fault(fault)][was]}"
