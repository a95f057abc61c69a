"""
A look of the job that watches at profiles of which none changed, as it happens twice a minute.
"""

from __future__ import annotations

import tempfile
import time
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path

from tarkeep.adapters.sql.catalog import SqlCatalog
from tarkeep.domain.archives.archive import BackupArchive
from tarkeep.domain.identity.archive_id import ArchiveId, BackupType
from tarkeep.domain.identity.digests import Digests
from tarkeep.domain.usecases.watching.watch import WATCH, WatchProfiles, stamp_of
from tarkeep.domain.watching.kept_status import KeptStatus
from tarkeep.entrypoints.settings.server import StorageSettings
from tarkeep.entrypoints.wiring.server import open_tarkeep

from ..contestants import WrongAnswer
from ..report import Table, Target, value_row
from ..runner import Context, Spread

LOOK = Target(200.0, unit=" ms")
_ARCHIVES = 3


def run(context: Context) -> Table:
    rows = []
    for profiles in (100, 1_000, 2_000) if context.quick else (100, 1_000, 10_000):
        context.say(f"  {profiles:,} profiles")
        with tempfile.TemporaryDirectory(dir=context.work, prefix="watch-") as scratch:
            times = [1000 * seconds for seconds in _looks(Path(scratch) / "data", profiles, context.rounds)]
        rows.append(value_row(f"{profiles:,} profiles", Spread.of(times), 1, " ms", LOOK))
    return Table(
        name="watch",
        title="a look at profiles of which none changed",
        rows=rows,
        remarks=[f"each profile has {_ARCHIVES} archives in the catalog and a kept status"],
    )


def _looks(data: Path, profiles: int, rounds: int) -> Iterator[float]:
    with open_tarkeep(StorageSettings(data=data, reserve_bytes=0)) as tarkeep:
        catalog = tarkeep.rebuild.catalog
        watch = next(job.work for job in tarkeep.run_due_jobs.jobs if job.name == WATCH)
        if not isinstance(watch, WatchProfiles) or not isinstance(catalog, SqlCatalog):
            raise WrongAnswer("the job that watches is another one")
        watch(lambda: True)
        now = datetime.now(UTC)
        catalog.adopt([_archive(profile, number, now) for profile in range(profiles) for number in range(_ARCHIVES)])
        rules = watch.look.rules.fingerprint
        stamp = stamp_of(rules, ())
        due = catalog.statuses.due(stamp, now, limit=profiles)
        later = now + timedelta(days=1)
        catalog.statuses.keep(
            [KeptStatus(name, version, stamp, now, later, now, now, 3, 300, 1, False, False) for name, version in due]
        )
        for _ in range(rounds):
            begin = time.perf_counter()
            report = watch(lambda: True)
            yield time.perf_counter() - begin
            if report.counts["profiles"]:
                raise WrongAnswer(f"{report.counts['profiles']} profiles were looked at, and none had changed")


def _archive(profile: int, number: int, now: datetime) -> BackupArchive:
    id = ArchiveId(f"p{profile:05}", BackupType.FULL, f"a{number}.tar.gz")
    return BackupArchive(id, 100, Digests("0" * 32, f"{profile:032x}{number:032x}"), now, now)
