"""The report of a drill, as it arrives: a first line about the restore, and one for each name."""

from __future__ import annotations

from collections.abc import Iterable, Iterator

import msgspec

from ....domain.drills.drill import DrillReport
from ....domain.drills.manifest import LONGEST_LINE
from ....domain.errors.drills import ReportInvalid
from ....domain.text.paths import whole
from ....domain.usecases.drills.judge_drill import ToldDrill

_MOST_SAID, _LONGEST_SAID = 50, 500
_LONGEST_ERROR = 2000


class _Head(msgspec.Struct, forbid_unknown_fields=True):
    names: int
    seconds: float = 0.0
    tar: str = ""
    sandbox: str = ""
    said: list[str] = []
    error: str = ""


def read_report(blocks: Iterable[bytes]) -> tuple[ToldDrill, Iterator[bytes]]:
    """
    What the report says of the restore, and its other lines.

    Raises:
        ReportInvalid: it has no first line, or a malformed one; or, while the others are read, a line is too long or
            lacks its end.
    """
    lines = _lines(blocks)
    try:
        head = msgspec.json.decode(next(lines, b""), type=_Head)
    except (msgspec.DecodeError, RecursionError) as error:
        raise ReportInvalid(1, f"is not what a report begins with: {error}") from None
    if head.names < 0 or not 0 <= head.seconds < 1e9:
        raise ReportInvalid(1, "has an impossible number")
    report = DrillReport(
        seconds=head.seconds,
        tar=whole(head.tar[:_LONGEST_SAID]),
        sandbox=whole(head.sandbox[:_LONGEST_SAID]),
        said=tuple(whole(line[:_LONGEST_SAID]) for line in head.said[:_MOST_SAID]),
        error=whole(head.error[:_LONGEST_ERROR]),
    )
    return ToldDrill(report, head.names), lines


def _lines(blocks: Iterable[bytes]) -> Iterator[bytes]:
    held, number = b"", 1
    for block in blocks:
        *whole_lines, held = (held + block).split(b"\n")
        for line in whole_lines:
            if len(line) > LONGEST_LINE:
                raise ReportInvalid(number, f"is longer than {LONGEST_LINE} bytes")
            yield line
            number += 1
        if len(held) > LONGEST_LINE:
            raise ReportInvalid(number, f"is longer than {LONGEST_LINE} bytes")
    if held:
        raise ReportInvalid(number, "is cut off: it has no end")
