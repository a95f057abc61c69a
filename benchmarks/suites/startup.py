"""
From starting the process to the first 200 of /readyz, with many archives on disk, with many profiles, and with none.
"""

from __future__ import annotations

import json
import tempfile
from pathlib import Path

from ..ask import ask, is_ready
from ..contestants import WrongAnswer
from ..corpus import tiny_archive
from ..population import with_archives
from ..processes import free_port, serving
from ..report import Table, Target, race_row, value_row
from ..runner import Context, Entrant, Sample, race, settle
from ..tarkeep_server import serve_command, settings

TO_EMPTY = Target(2.0)
UNTIL_READY = Target(5.0, unit=" s")
PROFILES = 10_000


def run(context: Context) -> Table:
    count = 5_000 if context.quick else 100_000
    with tempfile.TemporaryDirectory(dir=context.work, prefix="startup-") as scratch:
        context.say(f"  writing {count:,} archives (kept for the next time)")
        tiny = tiny_archive(context.corpus)
        empty = with_archives(context.work, {}, tiny)
        filled = with_archives(context.work, {f"host-{number}": count // 10 for number in range(10)}, tiny)
        yardstick = _entrant("empty store", empty, 0, Path(scratch))
        many = _entrant(f"{count:,} archives", filled, count, Path(scratch))
        profiles = 1_000 if context.quick else PROFILES
        wide_data = with_archives(context.work, {f"machine-{number}": 3 for number in range(profiles)}, tiny)
        (wide_data / "profiles.toml").write_text('["*".retention]\nkeep_daily = 14\n')
        wide = _entrant(f"{profiles:,} profiles of 3 archives, with a policy", wide_data, 3 * profiles, Path(scratch))
        result = race(yardstick, [many, wide], context)
    return Table(
        name="startup",
        title="from starting the process to ready",
        rows=[
            race_row(result, yardstick.label),
            race_row(result, many.label, to=yardstick.label, target=TO_EMPTY),
            value_row(wide.label, result.seconds(wide.label), 3, " s", UNTIL_READY),
        ],
        remarks=["the stores exist already; every archive is on disk with its side-car and in the catalog"],
    )


def _entrant(label: str, data: Path, count: int, scratch: Path) -> Entrant:
    def run(folder: Path) -> Sample:
        del folder
        settle()
        port = free_port()
        with serving(
            serve_command(port, data),
            ready=lambda: is_ready(port, "/readyz"),
            log=scratch / "server.log",
            environment=settings(),
        ) as server:
            used, peak = server.cpu_seconds(), server.peak_mib()
            stats = json.loads(ask(port, "/stats").body)
            if stats["total"]["files"] != count:
                raise WrongAnswer(f"the server counts {stats['total']['files']} archives and not {count}")
            return Sample(server.start_seconds, used, None, peak)

    return Entrant(label, run)
