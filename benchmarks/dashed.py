"""
A data directory for the pages: many profiles whose statuses are kept, one with a thousand archives, a long audit log.

Entered through the ports that the server uses; only the days of arrivals are written by SQL, since they are counted as
archives come, and those of the population came years ago.
"""

from __future__ import annotations

import hashlib
import sqlite3
from contextlib import closing
from datetime import UTC, datetime, timedelta
from pathlib import Path

from tarkeep.adapters.sql.catalog import SqlCatalog
from tarkeep.domain.access.audit import AuditEntry, line_of
from tarkeep.domain.access.chain import FIRST, line_digest
from tarkeep.domain.archives.archive import Offer
from tarkeep.domain.identity.archive_id import ArchiveId, BackupType
from tarkeep.domain.profiles.rules import NO_RULES
from tarkeep.domain.usecases.watching.watch import stamp_of
from tarkeep.domain.watching.kept_status import KeptStatus
from tarkeep.entrypoints.settings.server import StorageSettings
from tarkeep.entrypoints.wiring.server import open_tarkeep

from .contestants import WrongAnswer
from .corpus import tiny_archive
from .growth.measure import made
from .growth.nights import night, opened
from .population import with_both

LONG = "long"
"""The profile with `LONG_ARCHIVES`; the others are `name_of` a number."""

LONG_ARCHIVES = 1_000
NIGHTLY = "nightly"
"""The profile of `nightly`."""

_WEEK = 7
_NAMES = 60
_NO_MINIMUM_AGE = """
["*".retention]
minimum_age = "0d"
keep_daily = 14
keep_weekly = 8
keep_monthly = 12
"""
_DAYS = 365
_KEY = b"k" * 32


def name_of(number: int) -> str:
    """The name of a profile."""
    return f"machine-{number:05}"


def dashed(work: Path, profiles: int, archives: int, log_lines: int) -> Path:
    """
    Such a data directory with so many *profiles* of *archives* each, and *log_lines*; kept below *work*.

    Statuses are those of now: whoever looks within five minutes finds them fresh, and none is due.
    """
    named = {name_of(number): archives for number in range(profiles)}
    data = with_both(work, named, {LONG: LONG_ARCHIVES}, tiny_archive(work / "corpus"))
    write_log(data / "audit.log", log_lines, profiles)
    with open_tarkeep(StorageSettings(data=data, reserve_bytes=0)) as tarkeep:
        catalog = tarkeep.rebuild.catalog
        if not isinstance(catalog, SqlCatalog) or len(list(tarkeep.load_points(LONG).places())) != LONG_ARCHIVES:
            raise WrongAnswer("the long profile lacks archives")
        _look(catalog, archives)
    _note_arrivals(data / "catalog.sqlite", profiles)
    return data


def nightly(work: Path, archives: int) -> Path:
    """
    A data directory with so many *archives* of the profile `NIGHTLY`, kept below *work*: a FULL each week, and an INC
    of its own in each other night, of which nobody said what it builds on. Nothing is too young to go.
    """
    return made(work / f"nightly-{archives}", lambda data: _send_nights(data, archives))


def _send_nights(data: Path, archives: int) -> None:
    (data / "profiles.toml").write_text(_NO_MINIMUM_AGE)
    with opened(data) as tarkeep:
        for number in range(archives):
            type = BackupType.INC if number % _WEEK else BackupType.FULL
            taken_at = datetime.now(UTC) - timedelta(days=archives - number)
            offer = Offer(ArchiveId(NIGHTLY, type, night_name(number)), taken_at=taken_at)
            tarkeep.receive(offer, iter([night(number if number % _WEEK else 0, _NAMES)]))
        tarkeep.plan_prune(NIGHTLY)


def night_name(number: int) -> str:
    """The name of an archive of `nightly`."""
    return f"night{number:05}.tar.gz"


def write_log(file: Path, lines: int, profiles: int) -> None:
    """Make *file* an audit log of so many *lines* about the profiles, with its key; one that is there stays."""
    if file.exists():
        return
    before, at = FIRST, datetime(2024, 1, 1, tzinfo=UTC)
    with file.open("wb") as log:
        for number in range(lines):
            what = f"{name_of(number % profiles)}/INC/inc_{number}.tar.gz"
            sha256 = hashlib.sha256(what.encode()).hexdigest()
            entry = AuditEntry(at + timedelta(seconds=number), "benchtok", "192.0.2.1", what, sha256, "new")
            line = line_of(entry, before, _KEY)
            log.write(line + b"\n")
            before = line_digest(line)
    file.with_suffix(".key").write_text(_KEY.hex() + "\n")
    file.with_suffix(".key").chmod(0o600)


def _look(catalog: SqlCatalog, archives: int) -> None:
    now = datetime.now(UTC)
    stamp = stamp_of(NO_RULES.fingerprint, catalog.statuses.absences())
    catalog.statuses.forget([status.profile for status in catalog.statuses.all()])
    due = catalog.statuses.due(stamp, now, limit=1 << 30)
    later = now + timedelta(days=1)
    catalog.statuses.keep(
        [
            KeptStatus(name, version, stamp, now, later, now, now, archives, archives * 1_000_000, 9, False, False)
            for name, version in due
        ]
    )


def _note_arrivals(database: Path, profiles: int) -> None:
    """An INC a day for each profile, over a year for every hundredth and over 30 days for the others."""
    today = datetime.now(UTC).toordinal() - datetime(1970, 1, 1, tzinfo=UTC).toordinal()
    with closing(sqlite3.connect(database)) as connection, connection:
        connection.executemany(
            "INSERT OR IGNORE INTO arrivals (profile, day, type, archives, size_bytes) VALUES (?, ?, 'INC', 1, 1000)",
            (
                (name, today - day)
                for number, name in enumerate([LONG, *map(name_of, range(profiles))])
                for day in range(_DAYS if number % 100 == 0 else 30)
            ),
        )
