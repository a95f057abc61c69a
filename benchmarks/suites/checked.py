"""
The cost of never serving rotten bytes: a download whose blocks are checked against their sums, one that is hashed as a
whole because it has none, and the same bytes unchecked.

All three from one server that has the archive in the page cache. Unchecked is a range of an archive
without sums: everything but its first byte.
"""

from __future__ import annotations

import shutil
import tempfile
from pathlib import Path

from ..contestants import CURL, Answer, WrongAnswer
from ..corpus import Archive, read_through, real_archive
from ..processes import run_timed
from ..report import Table, Target, race_row
from ..runner import Context, Entrant, Sample, race, settle
from ..tarkeep_server import RunningTarkeep, Tarkeep

TO_UNCHECKED = Target(1.15)
_NAME = "archive.tar.gz"
_UNCHECKED, _SUMS, _HASHED = "as it lies there", "checked by its sums", "hashed, for want of sums"


def run(context: Context) -> Table:
    archive = real_archive(context.corpus, quick=context.quick)
    with tempfile.TemporaryDirectory(dir=context.work, prefix="checked-") as folder:
        contestant = Tarkeep(title="tarkeep")
        with contestant.start(Path(folder)) as running:
            command = running.upload(archive, _NAME)
            answer = Answer.parse(run_timed(command).succeeded(command).output)
            running.check_upload(answer, archive, _NAME)
            entrants = [
                _entrant(_UNCHECKED, running, archive, has_sums=False, first_byte=1),
                _entrant(_SUMS, running, archive, has_sums=True),
                _entrant(_HASHED, running, archive, has_sums=False),
            ]
            result = race(entrants[0], entrants[1:], context)
    return Table(
        name="checked",
        title=f"what checking costs a download to /dev/null ({archive.label})",
        rows=[
            race_row(result, _UNCHECKED),
            race_row(result, _SUMS, to=_UNCHECKED, target=TO_UNCHECKED),
            race_row(result, _HASHED, to=_UNCHECKED),
        ],
        remarks=[
            "ratio: to the bytes as they lie there, of the same round",
            "an archive has sums from its receipt on; they are a cache, made again by the next whole download",
            result.disturbance(),
        ],
    )


def _entrant(title: str, running: RunningTarkeep, archive: Archive, *, has_sums: bool, first_byte: int = 0) -> Entrant:
    sums, kept = running.folder / "sums", running.folder / "kept-sums"
    stored = running.stored(_NAME, Answer(200, ""))
    expected = [str(206 if first_byte else 200), str(archive.size_bytes - first_byte)]

    def run(folder: Path) -> Sample:
        del folder
        if not kept.exists():
            shutil.copytree(sums, kept)
        shutil.rmtree(sums, ignore_errors=True)
        if has_sums:
            shutil.copytree(kept, sums)
        read_through(stored)
        settle()
        part = ["--range", f"{first_byte}-"] if first_byte else []
        fetch = [*CURL[:-1], "%{http_code} %{size_download}", *part, "--output", "/dev/null"]
        fetch.append(running.download_url(_NAME))
        before = running.server.cpu_seconds()
        finished = run_timed(fetch).succeeded(fetch)
        used = running.server.cpu_seconds() - before
        if finished.output.split() != expected:
            raise WrongAnswer(f"{title} answered {finished.output!r}")
        return Sample.of(finished, server_cpu_seconds=used, peak_mib=running.server.peak_mib())

    return Entrant(title, run)
