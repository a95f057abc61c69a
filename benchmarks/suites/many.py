"""
Many small archives: ``tarkeep push`` of a whole backup folder, against a loop that runs curl once for each archive.

What the servers stored is removed after the last round only: ext4 does not give a number to a new file that was freed
in the last minutes, and the search around thousands of those took a fifth of the server's time in the next sample.
"""

from __future__ import annotations

import shlex
import tempfile
from collections.abc import Callable, Sequence
from pathlib import Path

from ..contestants import CURL, WrongAnswer, check_stored
from ..corpus import Archive, small_archives, tiny_archive
from ..processes import Finished, run_timed
from ..report import Table, Target, race_row, ratio_row
from ..runner import Context, Entrant, Sample, race, settle
from ..tarkeep_client import Client, check_summary
from ..tarkeep_server import PROFILE, RunningTarkeep, Tarkeep

COUNT = 1_000
COUNT_QUICK = 200
TIMES_AS_FAST = Target(3.0, at_least=True)


def run(context: Context) -> Table:
    archives = small_archives(context.corpus, COUNT_QUICK if context.quick else COUNT)
    tiny = tiny_archive(context.corpus)
    with tempfile.TemporaryDirectory(dir=context.work, prefix="many-") as kept:

        def place() -> Path:
            return Path(tempfile.mkdtemp(dir=kept))

        loop = Entrant("a loop of curl", lambda _folder: _loop(place(), archives, tiny))
        push = Entrant("tarkeep push --all", lambda _folder: _push(place(), archives, tiny, None))
        wider = Entrant("tarkeep push --all --jobs 8", lambda _folder: _push(place(), archives, tiny, 8))
        result = race(loop, [push, wider], context)
    return Table(
        name="many",
        title=f"{len(archives):,} archives of {archives[0].size_bytes / 1000:.0f} KB, validation full",
        rows=[
            *(race_row(result, entrant.label) for entrant in (loop, push, wider)),
            ratio_row(f"{loop.label} / {push.label}", result.ratio(loop.label, push.label), TIMES_AS_FAST),
            ratio_row(f"{loop.label} / {wider.label}", result.ratio(loop.label, wider.label)),
        ],
        remarks=[
            "a ratio of 3 means: push took a third of the time of the loop in the same round",
            "the loop is one shell that starts curl, one PUT, once for each archive, one after the other",
            result.disturbance(),
        ],
    )


def _loop(folder: Path, archives: Sequence[Archive], warm_up: Archive) -> Sample:
    def send(running: RunningTarkeep) -> Finished:
        address = running.download_url("")
        curl = shlex.join([*CURL[:-1], r"%{http_code}\n", "--output", "/dev/null", "--upload-file"])
        script = f'for file in {shlex.quote(str(archives[0].path.parent))}/*.gz; do {curl} "$file" {address}; done'
        finished = run_timed(["sh", "-c", script])
        if finished.output.split() != ["201"] * len(archives):
            raise WrongAnswer(f"the answers are not all 201: {finished.output[:200]}{finished.complaints[:200]}")
        return finished

    return _timed(folder, archives, warm_up, send)


def _push(folder: Path, archives: Sequence[Archive], warm_up: Archive, jobs: int | None) -> Sample:
    def send(running: RunningTarkeep) -> Finished:
        client = Client(running.url, folder)
        backups = archives[0].path.parent.parent
        finished = client.run(client.push("--all", "--backup-dir", backups, jobs=jobs))
        check_summary(finished.output, sent=len(archives))
        return finished

    return _timed(folder, archives, warm_up, send)


def _timed(
    folder: Path, archives: Sequence[Archive], warm_up: Archive, send: Callable[[RunningTarkeep], Finished]
) -> Sample:
    with Tarkeep(route="raw").start(folder) as running:
        client = Client(running.url, folder)
        client.run(client.push(warm_up.path, "--type", "FULL"))
        for archive in archives:
            archive.warm()
        settle()
        before = running.server.cpu_seconds()
        finished = send(running)
        used = running.server.cpu_seconds() - before
        peak = running.server.peak_mib()
        for archive in archives:
            check_stored(running.folder / "archives" / PROFILE / "FULL" / archive.path.name, archive)
    return Sample.of(finished, server_cpu_seconds=used, peak_mib=peak)
