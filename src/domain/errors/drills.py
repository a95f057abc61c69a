"""Restore drills."""

from __future__ import annotations

from attrs import define

from ..tarkeep_error import TarkeepError


@define
class DrillNotFound(TarkeepError):
    """No drill with this id is under way for the one who asks: it is unknown, has ended, or is somebody else's."""

    id: str

    def __str__(self) -> str:
        return f"no drill {self.id[:80]!a} is under way here; it may have ended: ask for another one"


@define
class ReportInvalid(TarkeepError):
    """The report of a drill cannot be read. *line* is the number of the line in question, from 1."""

    line: int
    why: str

    def __str__(self) -> str:
        return f"line {self.line} of the report {self.why}"
