"""
Reading all archives of a data directory again, as a process that prints the seconds and the number of archives.

As a program: ``python -m benchmarks.scrubbing tarkeep|openssl DATA``. Nothing of an archive is in the page cache at the
beginning. ``tarkeep`` runs the job of the server, ``openssl`` the command that a person would use instead, over the
archives and what lies beside them, which the job reads, too.
"""

from __future__ import annotations

import os
import subprocess
import sys
import time
from pathlib import Path

from tarkeep.domain.usecases.jobs.ask_for_scrub import SCRUB
from tarkeep.entrypoints.settings.server import StorageSettings
from tarkeep.entrypoints.wiring.server import open_tarkeep

from .contestants import WrongAnswer

_BY_HAND = "find {} -type f -print0 | xargs -0 -P2 -n64 openssl dgst -sha256"


def stored_in(data: Path) -> list[Path]:
    """The files of all archives, and what lies beside them."""
    return [path for path in (data / "archives").rglob("*") if path.is_file()]


def drop_cached(paths: list[Path]) -> None:
    """Have the kernel forget the content of *paths*, which is on the disk."""
    for path in paths:
        descriptor = os.open(path, os.O_RDONLY)
        try:
            os.posix_fadvise(descriptor, 0, 0, os.POSIX_FADV_DONTNEED)
        finally:
            os.close(descriptor)


def by_tarkeep(data: Path) -> tuple[float, int]:
    """Seconds and archives of one run of the job, in which all are due."""
    with open_tarkeep(StorageSettings(data=data, reserve_bytes=0)) as tarkeep:
        tarkeep.ask_for_scrub.table.want()
        work = next(job.work for job in tarkeep.run_due_jobs.jobs if job.name == SCRUB)
        begin = time.perf_counter()
        report = work(lambda: True)
        seconds = time.perf_counter() - begin
    if report.problems:
        raise WrongAnswer(f"the scrub found {report.problems[0].text}")
    return seconds, report.counts["checked"]


def by_hand(data: Path) -> tuple[float, int]:
    """Seconds and archives of the command."""
    beside = sum(not path.name.endswith(".tar.gz") for path in stored_in(data))
    begin = time.perf_counter()
    told = subprocess.run(_BY_HAND.format(data / "archives"), shell=True, check=True, capture_output=True)
    return time.perf_counter() - begin, told.stdout.count(b"\n") - beside


def main(way: str, data: Path) -> None:
    drop_cached(stored_in(data))
    seconds, count = (by_tarkeep if way == "tarkeep" else by_hand)(data)
    print(seconds, count)


if __name__ == "__main__":
    main(sys.argv[1], Path(sys.argv[2]))
