"""
Judging an archive when it arrives, as a share of receiving it.
"""

from __future__ import annotations

import random
import subprocess
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path

from attrs import define, evolve, field

from tarkeep.domain.archives.archive import BackupArchive, Offer
from tarkeep.domain.identity.archive_id import ArchiveId, BackupType
from tarkeep.domain.retention.suspicion import Suspicion
from tarkeep.domain.usecases.retention.judge import JudgeArchive
from tarkeep.entrypoints.settings.server import StorageSettings
from tarkeep.entrypoints.wiring.server import open_tarkeep

from ..report import Row, Table, Target, value_row
from ..runner import Context, Spread

SHARE = Target(3.0, unit=" %")
_NIGHTS = 12
_PER_FOLDER = 20


def run(context: Context) -> Table:
    trees = ((200, 2, 20_000), (1_000, 10, 20_000)) if context.quick else ((1_000, 10, 20_000), (10_000, 100, 10_000))
    rows: list[Row] = []
    for files, changed, file_bytes in trees:
        context.say(f"  {_NIGHTS} nights of {files:,} files")
        with tempfile.TemporaryDirectory(dir=context.work, prefix="judge-") as scratch:
            shares = [100 * share for share in _shares(Path(scratch), files, changed, file_bytes)]
        rows.append(value_row(f"INC with {changed} of {files:,} files", Spread.of(shares), 2, " %", SHARE))
    return Table(
        name="judge",
        title="judging an archive when it arrives, as a share of receiving it",
        rows=rows,
        remarks=["CPU time within one process, in which the archives are received without HTTP"],
    )


@define
class _Timed:
    """Judges, and adds up the CPU seconds of the last receive."""

    judge: JudgeArchive
    seconds: float = field(default=0.0)

    def __call__(self, archive: BackupArchive) -> Suspicion | None:
        begin = time.process_time()
        try:
            return self.judge(archive)
        finally:
            self.seconds += time.process_time() - begin


def _shares(scratch: Path, files: int, changed: int, file_bytes: int) -> Iterator[float]:
    """The share for each INC but the first, which has the names of the FULL put in order."""
    dice = random.Random(files)
    paths = [scratch / "root" / f"folder{number // _PER_FOLDER}" / f"file{number}" for number in range(files)]
    for path in paths:
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(dice.randbytes(file_bytes))
    with open_tarkeep(StorageSettings(data=scratch / "data", reserve_bytes=0)) as tarkeep:
        intake = tarkeep.receive.begin_intake
        timed = _Timed(intake.settle.judge)
        settle = evolve(intake.settle, judge=timed)  # type: ignore[arg-type]  # it is called in the same way
        receive = evolve(tarkeep.receive, begin_intake=evolve(intake, settle=settle))
        for night in range(_NIGHTS):
            time.sleep(1.1)  # until files that change get another time than the dump before
            for path in dice.sample(paths, changed):
                path.write_bytes(dice.randbytes(file_bytes))
            packed = _packed(scratch)
            id = ArchiveId("bench", BackupType.INC if night else BackupType.FULL, f"night{night:02}.tar.gz")
            timed.seconds = 0.0
            begin = time.process_time()
            receive(Offer(id), [packed[at : at + (1 << 20)] for at in range(0, len(packed), 1 << 20)])
            spent = time.process_time() - begin
            if night > 1:
                yield timed.seconds / spent


def _packed(scratch: Path) -> bytes:
    command = ["tar", "-C", str(scratch), "-czf", "-", f"--listed-incremental={scratch / 'snapshot'}", "root"]
    return subprocess.run(command, check=True, capture_output=True).stdout
