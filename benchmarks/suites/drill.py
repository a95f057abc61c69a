"""
Restore drills, against what a person would run: tar, and sha256sum of all files.

The archive is stored before. A drill restores it in its sandbox, reports every name, and ends when the server has read
the archive by itself and compared; the restored folder is removed by both, and that is timed as well.
"""

from __future__ import annotations

import json
import sys
import tempfile
from collections.abc import Callable
from pathlib import Path

from ..contestants import Answer, WrongAnswer
from ..corpus import Archive, real_archive
from ..processes import Finished, run_timed
from ..report import Table, Target, race_row
from ..runner import Context, Entrant, Sample, race, settle
from ..tarkeep_client import Client
from ..tarkeep_server import PROFILE, RunningTarkeep, Tarkeep

TO_TAR = Target(1.5)
_NAME = "archive.tar.gz"
_BY_HAND = (
    'cd "$1" && mkdir tree && tar -xzf "$2" -C tree && find tree -type f -print0 | xargs -0 sha256sum && rm -rf tree'
)


def run(context: Context) -> Table:
    archive = real_archive(context.corpus, quick=context.quick)
    with (
        tempfile.TemporaryDirectory(dir=context.work, prefix="drill-") as folder,
        Tarkeep(title="tarkeep").start(Path(folder)) as running,
    ):
        command = running.upload(archive, _NAME)
        running.check_upload(Answer.parse(run_timed(command).succeeded(command).output), archive, _NAME)
        drill = _entrant("tarkeep drill run, the two ways by turns", archive, _drilled(running), running)
        by_hand = _entrant("tar -xz, and sha256sum of all files", archive, lambda inside: _by_hand(archive, inside))
        result = race(by_hand, [drill], context)
    return Table(
        name="drill",
        title=f"restoring one archive and looking at every file ({archive.label})",
        rows=[race_row(result, by_hand.label), race_row(result, drill.label, to=by_hand.label, target=TO_TAR)],
        remarks=["a drill restores its own small chain first, and the server reads the archive as well"],
    )


def _by_hand(archive: Archive, inside: Path) -> Finished:
    command = ["sh", "-c", _BY_HAND, "sh", str(inside), str(archive.path)]
    return run_timed(command).succeeded(command)


def _drilled(running: RunningTarkeep) -> Callable[[Path], Finished]:
    def drilled(inside: Path) -> Finished:
        client = Client(running.url, inside)
        command = [sys.executable, "-m", "tarkeep", "drill", "run", PROFILE, "--scratch", str(inside)]
        finished = client.run([*command, "--server", running.url, "--json"])
        told = json.loads(finished.output.splitlines()[-1])
        if told["exit_code"] != 0:
            raise WrongAnswer(f"the drill told {told}")
        return finished

    return drilled


def _entrant(
    title: str, archive: Archive, work: Callable[[Path], Finished], running: RunningTarkeep | None = None
) -> Entrant:
    def run(folder: Path) -> Sample:
        archive.warm()
        settle()
        before = running.server.cpu_seconds() if running else 0.0
        with tempfile.TemporaryDirectory(dir=folder) as inside:
            for above in (folder, Path(inside)):  # the sandbox runs tar as nobody
                above.chmod(0o755)
            finished = work(Path(inside))
        if running is None:
            return Sample.of(finished, server_cpu_seconds=0, peak_mib=0)
        used = running.server.cpu_seconds() - before
        return Sample.of(finished, server_cpu_seconds=used, peak_mib=running.server.peak_mib())

    return Entrant(title, run)
