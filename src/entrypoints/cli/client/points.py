"""``tarkeep points``: the restore points of a profile, as a tree of archives and those that build on them."""

from __future__ import annotations

import os
import sys
from collections.abc import Iterator, Sequence
from datetime import UTC, datetime

from attrs import frozen

from ....domain.client.ports.chains import StoredPoint
from ....domain.client.status import age
from ....domain.identity.archive_id import ArchiveId, BackupType
from ....domain.text.counted import counted
from ....domain.text.paths import printable
from ....domain.text.sizes import human_size
from ...settings.client import ClientSettings
from ..shared.opening import opening, required_profile, retry_notice
from ..terminal.exits import OK
from ..terminal.output import Output

_DEEPEST = 12
_SHOWN_NOTES = 5
_GREEN, _YELLOW, _RED = 32, 33, 31


def points(profile: str | None = None, /, *, client: ClientSettings | None = None) -> int:
    """
    Show which points in time can be restored, as a tree: each archive below the one it builds on.

    A point restores exactly, or as an overlay, without knowing what was deleted, or not at all; then the obstacles are
    shown. The evidence for the archive that another one builds on is proven, declared, inferred, uncertain,
    contradicted or orphan. Notes are what the sender reported, such as files that could not be read.

    Parameters
    ----------
    profile
        The profile to show. Default: the one in the settings.
    """
    from ...wiring.client_dumps import chains

    settings = client or ClientSettings()
    output = Output(settings.json, quiet=False)
    profile = required_profile(profile, settings)
    with opening(settings) as opened:
        known = chains(opened)
        found = opened.retrying(lambda: known.points(profile), on_retry=retry_notice(output))
    restorable = sum(point.is_restorable for point in found)
    if output.as_json:
        for point in found:
            output.result("", **_members(point))
    else:
        for line in drawn(found, datetime.now(UTC)):
            print(line.text(in_colour=_wants_colour()))
    if restorable < len(found):
        output.message(
            "tarkeep restore --allow-gaps restores what is available of the others, and lists what is missing"
        )
    output.result(
        f"{profile}: {restorable} of {counted(len(found), 'point')} can be restored",
        summary=True,
        points=len(found),
        restorable=restorable,
    )
    return OK


@frozen
class Line:
    """A line of the tree; *mark* is its coloured part."""

    before: str
    mark: str = ""
    after: str = ""
    colour: int = 0

    def text(self, *, in_colour: bool) -> str:
        before, mark, after = map(printable, (self.before, self.mark, self.after))
        if in_colour and self.colour:
            mark = f"\x1b[{self.colour}m{mark}\x1b[0m"
        return f"{before}{mark}{after}".rstrip()


def drawn(points: Sequence[StoredPoint], now: datetime) -> Iterator[Line]:
    """*points* as a tree: each below its parent, those without a parent at the left."""
    known_ids, in_circles = {point.id for point in points}, _in_circles(points)
    below: dict[ArchiveId | None, list[StoredPoint]] = {}
    for point in points:
        known = point.parent if point.parent in known_ids and point.id not in in_circles else None
        below.setdefault(known, []).append(point)
    width = max((len(point.id.label) + 2 * min(point.length - 1, _DEEPEST) for point in points), default=0)
    waiting = [(0, point) for point in reversed(below.get(None, []))]
    while waiting:
        depth, point = waiting.pop()
        indent = "  " * min(depth, _DEEPEST)
        mark, colour = _mark(point)
        facts = [
            f"  {_evidence(point):12}",
            f"{human_size(point.size_bytes):>9}",
            f"{point.taken_at:%Y-%m-%d %H:%M}Z",
            age(point.taken_at, now),
            *([] if point.restore_minutes is None else [_minutes(point.restore_minutes)]),
        ]
        yield Line(f"{indent + point.id.label:{width}}  ", f"{mark:16}", "  ".join(facts), colour)
        for obstacle in point.obstacles:
            yield Line(f"{indent}    ", obstacle, colour=_RED)
        if point.gaps:
            lacks = f"{counted(point.gaps, 'name')} cannot be restored: see its plan"
            yield Line(f"{indent}    ", lacks, colour=_YELLOW)
        elif point.is_restorable and point.distrust:
            yield Line(f"{indent}    ", f"only the server can put it together: {point.distrust}", colour=_YELLOW)
        for doubt in point.doubts:
            yield Line(f"{indent}    doubt: ", doubt, colour=_YELLOW)
        for note in (*point.notes[:_SHOWN_NOTES], *_more(point.notes)):
            yield Line(f"{indent}    note: ", note, colour=_YELLOW)
        waiting += [(depth + 1, child) for child in reversed(below.get(point.id, []))]


def _minutes(minutes: float) -> str:
    """How long a restore takes, for people."""
    return f"restores in {minutes:.0f} min" if minutes >= 1 else "restores in less than a minute"


def _more(notes: Sequence[str]) -> list[str]:
    more = len(notes) - _SHOWN_NOTES
    return [f"and {more} more, which --json shows"] if more > 0 else []


def _in_circles(points: Sequence[StoredPoint]) -> set[ArchiveId]:
    """Points in a circle of parents, or below one: they must not vanish from the tree."""
    parents = {point.id: point.parent for point in points}
    ends: dict[ArchiveId | None, bool] = {None: True}
    for id in parents:
        climbed: dict[ArchiveId, None] = {}
        at: ArchiveId | None = id
        while at not in ends and at is not None and at not in climbed:
            climbed[at] = None
            at = parents.get(at)
        ends |= dict.fromkeys(climbed, ends.get(at, False))
    return {id for id in parents if not ends[id]}


def _mark(point: StoredPoint) -> tuple[str, int]:
    if not point.is_restorable:
        return "does not restore", _RED
    return (point.fidelity, _GREEN if point.fidelity == "exact" else _YELLOW)


def _evidence(point: StoredPoint) -> str:
    """The evidence for the parent link of *point*; a FULL has no parent."""
    return "-" if point.id.type is BackupType.FULL else point.link_evidence or "-"


def _members(point: StoredPoint) -> dict[str, object]:
    return {
        "profile": point.id.profile,
        "type": point.id.type.value,
        "name": point.id.name,
        "size": point.size_bytes,
        "taken_at": point.taken_at.isoformat(),
        "received_at": point.received_at.isoformat(),
        "kind": point.kind,
        "state": point.state,
        "restorable": point.is_restorable,
        "sound": point.is_sound,
        "distrust": point.distrust or None,
        "gaps": point.gaps,
        "fidelity": point.fidelity,
        "evidence": point.evidence,
        "parent": point.parent.label if point.parent is not None else None,
        "link_evidence": point.link_evidence,
        "reason": point.reason,
        "length": point.length,
        "path_size": point.path_bytes,
        "restore_minutes": point.restore_minutes,
        "has_snapshot": point.has_snapshot,
        "obstacles": list(point.obstacles),
        "doubts": list(point.doubts),
        "notes": list(point.notes),
    }


def _wants_colour() -> bool:
    return sys.stdout.isatty() and not os.environ.get("NO_COLOR")
