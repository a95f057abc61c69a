"""
Receiving with full validation, the default, against isal inflating the same file and doing nothing else.
"""

from __future__ import annotations

import sys

from ..contestants import WrongAnswer
from ..corpus import Archive, real_archive, tiny_archive
from ..report import Table, Target, race_row
from ..runner import Context, Entrant, command_entrant, race, upload_entrant
from ..tarkeep_server import Tarkeep

VALIDATED = Target(1.4, stretch=1.15)


def run(context: Context) -> Table:
    archive = real_archive(context.corpus, quick=context.quick)
    tiny = tiny_archive(context.corpus)
    yardstick = inflating(archive)
    multipart, raw = Tarkeep(), Tarkeep(route="raw")
    result = race(yardstick, [upload_entrant(multipart, archive, tiny), upload_entrant(raw, archive, tiny)], context)
    return Table(
        name="validate",
        title=f"uploads with full gzip and tar validation, MD5 + SHA-256 + fsync ({archive.label})",
        rows=[
            race_row(result, yardstick.label),
            race_row(result, multipart.title, to=yardstick.label, target=VALIDATED),
            race_row(result, raw.title, to=yardstick.label),
        ],
        remarks=[
            "ratio: to isal inflating alone in the same round, without the start of its interpreter",
            result.disturbance(),
        ],
    )


def inflating(archive: Archive) -> Entrant:
    """The yardstick `benchmarks.inflate`, in a process of its own, by its own clock."""

    def check(output: str) -> float:
        seconds, inflated = output.split()
        if int(inflated) != archive.unpacked_bytes:
            raise WrongAnswer("isal inflated another number of bytes")
        return float(seconds)

    command = [sys.executable, "-m", "benchmarks.inflate", str(archive.path)]
    return command_entrant("isal inflating alone", command, archive, check)
