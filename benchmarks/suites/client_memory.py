"""
Peak memory of the client while it sends, from a file and from standard input, and fetches archives of growing size.
"""

from __future__ import annotations

import tempfile
from pathlib import Path

from ..contestants import check_stored
from ..corpus import MB, Archive, filler_archive
from ..report import Row, Table, Target
from ..runner import Context
from ..tarkeep_client import Client
from ..tarkeep_server import PROFILE, Tarkeep
from .memory import SIZES_MB, SIZES_MB_QUICK

PEAK = Target(60, unit=" MiB")
_WAYS = ("push of a file", "push of standard input", "pull")


def run(context: Context) -> Table:
    archives = [filler_archive(context.corpus, size * MB) for size in (SIZES_MB_QUICK if context.quick else SIZES_MB)]
    rows: list[Row] = []
    peaks = []
    for archive in archives:
        found = _peaks(archive, context.work)
        peaks.append(found)
        told = ", ".join(f"{way} {peak:.1f} MiB" for way, peak in zip(_WAYS, found, strict=True))
        context.say(f"  {archive.size_bytes / MB:.0f} MB: {told}")
        rows.append(Row(f"{archive.size_bytes / MB:.0f} MB", told))
    for way, found in zip(_WAYS, zip(*peaks, strict=True), strict=True):
        rows.append(Row(f"{way}, largest", f"{max(found):.1f} MiB", target=str(PEAK), verdict=PEAK.verdict(max(found))))
    return Table(
        name="client-memory",
        title="peak resident memory of the client by size of the archive",
        rows=rows,
        remarks=["of one run each, from its start; library pages shared with others count"],
    )


def _peaks(archive: Archive, work: Path) -> tuple[float, float, float]:
    """Peaks in MiB: sending *archive* from its file, from standard input, and fetching it."""
    with (
        tempfile.TemporaryDirectory(dir=work, prefix="memory-") as name,
        Tarkeep(validate="off").start(Path(name)) as running,
    ):
        client = Client(running.url, Path(name))
        stored = running.folder / "archives" / PROFILE / "FULL"

        sent = client.run(client.push(archive.path, "--type", "FULL"), measuring_memory=True)
        check_stored(stored / archive.path.name, archive)
        piped = client.push("-", "--type", "FULL", "--name", "piped.tar.gz")
        streamed = client.run(piped, measuring_memory=True, source=archive.path)
        check_stored(stored / "piped.tar.gz", archive)
        fetched = client.run(client.pull("FULL/piped.tar.gz", Path(name) / "pulled"), measuring_memory=True)
        check_stored(Path(name) / "pulled" / "FULL" / "piped.tar.gz", archive)
    return _mib(sent.output), _mib(streamed.output), _mib(fetched.output)


def _mib(output: str) -> float:
    return int(output.splitlines()[-1]) / 1024
