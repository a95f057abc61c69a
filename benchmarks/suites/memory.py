"""
Peak memory of the server while it takes, validates and gives back archives of growing size.

The peak is that of the process since its start (VmHWM), each size and route with a server of its own.
"""

from __future__ import annotations

import tempfile
from pathlib import Path

from ..contestants import CURL, Answer
from ..corpus import MB, Archive, filler_archive
from ..processes import run_timed
from ..report import Row, Table, Target
from ..runner import Context
from ..tarkeep_server import Tarkeep

SIZES_MB = (64, 256, 512, 1024, 2048)
SIZES_MB_QUICK = (16, 64, 128)
PEAK = Target(80, unit=" MiB")
GROWTH = Target(5, unit=" MiB")


def run(context: Context) -> Table:
    contestants = (Tarkeep(), Tarkeep(route="raw"))
    archives = [filler_archive(context.corpus, size * MB) for size in (SIZES_MB_QUICK if context.quick else SIZES_MB)]
    rows: list[Row] = []
    for contestant in contestants:
        peaks = []
        for archive in archives:
            started, received, sent = _peaks(contestant, archive, context.work)
            peaks.append(max(received, sent))
            context.say(
                f"  {contestant.title}, {archive.size_bytes / MB:.0f} MB: {started:.1f}, {received:.1f}, {sent:.1f} MiB"
            )
            rows.append(
                Row(
                    f"{contestant.title}, {archive.size_bytes / MB:.0f} MB",
                    measured=f"{started:.1f} MiB after start, {received:.1f} after upload, {sent:.1f} after download",
                )
            )
        growth = max(peaks) - peaks[0]
        largest = f"{max(peaks):.1f} MiB"
        rows.append(Row(f"{contestant.title}, largest", largest, target=str(PEAK), verdict=PEAK.verdict(max(peaks))))
        rows.append(
            Row(
                f"{contestant.title}, growth from the smallest",
                measured=f"{growth:.1f} MiB",
                target=str(GROWTH),
                verdict=GROWTH.verdict(growth),
            )
        )
    return Table(
        name="memory",
        title="peak resident memory of the server by size of the archive",
        rows=rows,
        remarks=[
            "VmHWM of a server started for that one archive, validation on; library pages shared with others count"
        ],
    )


def _peaks(contestant: Tarkeep, archive: Archive, work: Path) -> tuple[float, float, float]:
    """Peak in MiB once ready, after an upload of *archive*, and after a download of it."""
    name = "archive.tar.gz"
    with tempfile.TemporaryDirectory(dir=work, prefix="memory-") as folder, contestant.start(Path(folder)) as running:
        started = running.server.peak_mib()
        command = running.upload(archive, name)
        answer = Answer.parse(run_timed(command).succeeded(command).output)
        received = running.server.peak_mib()
        running.check_upload(answer, archive, name)
        fetch = [*CURL, "--fail", "--output", "/dev/null", running.download_url(name)]
        run_timed(fetch).succeeded(fetch)
        return started, received, running.server.peak_mib()
