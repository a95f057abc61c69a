"""
Reading everything that is stored again, against what a person would run instead.
"""

from __future__ import annotations

import sys
from pathlib import Path

from ..contestants import WrongAnswer
from ..corpus import Archive, filler_archive, tiny_archive
from ..population import with_archives
from ..report import Row, Table, Target, race_row
from ..runner import Context, Entrant, command_entrant, race

TO_OPENSSL = Target(1.05)


def run(context: Context) -> Table:
    kinds = (
        (filler_archive(context.corpus, (20 if context.quick else 200) << 20), 8),
        (tiny_archive(context.corpus), 500 if context.quick else 10_000),
    )
    rows: list[Row] = []
    for archive, count in kinds:
        context.say(f"  writing {count:,} archives (kept for the next time)")
        data = with_archives(context.work, {"host": count}, archive)
        what = f"{count:,} archives of {archive.label}"
        yardstick = _entrant(f"openssl: {what}", "openssl", data, archive, count)
        scrub = _entrant(f"scrub: {what}", "tarkeep", data, archive, count)
        result = race(yardstick, [scrub], context)
        rows += [
            race_row(result, yardstick.label),
            race_row(result, scrub.label, to=yardstick.label, target=TO_OPENSSL),
        ]
    return Table(
        name="scrub",
        title="reading all archives again, with nothing of them in the page cache",
        rows=rows,
        remarks=["`find | xargs -P2 -n64 openssl dgst -sha256`, and the job of the server without its start"],
    )


def _entrant(label: str, way: str, data: Path, archive: Archive, count: int) -> Entrant:
    def check(output: str) -> float:
        seconds, read = output.split()
        if int(read) != count:
            raise WrongAnswer(f"{read} archives were read and not {count}")
        return float(seconds)

    return command_entrant(label, [sys.executable, "-m", "benchmarks.scrubbing", way, str(data)], archive, check)
