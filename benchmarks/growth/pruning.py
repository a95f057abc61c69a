"""The cost of prune plans, by the number of archives; and of moving archives to the trash and back."""

from __future__ import annotations

import time
from datetime import UTC, datetime, timedelta
from functools import partial
from pathlib import Path

from tarkeep.adapters.filesystem.archive_store import FilesystemArchiveStore
from tarkeep.adapters.process.clock_and_ids import RandomIds
from tarkeep.domain.archives.archive import BackupArchive, Contents, Kind
from tarkeep.domain.chains.link import Evidence, Link
from tarkeep.domain.chains.standing import PlacedArchive, placed
from tarkeep.domain.identity.archive_id import ArchiveId, BackupType
from tarkeep.domain.identity.digests import Digests
from tarkeep.domain.profiles.retention_policy import Every, KeepRule, RetentionPolicy
from tarkeep.domain.retention import trash_note
from tarkeep.domain.retention.prune_plan import plan_prune, without_young
from tarkeep.domain.retention.trash_note import TrashNote

from .measure import Measure, apart, cpu_seconds, made

PROFILES = 100
CHAIN = 30
NOW = datetime(2026, 11, 30, tzinfo=UTC)
POLICY = RetentionPolicy(
    (
        KeepRule(Every.POINT, 10),
        KeepRule(Every.DAY, 14),
        KeepRule(Every.WEEK, 8),
        KeepRule(Every.MONTH, 12),
        KeepRule(Every.YEAR, None),
    )
)
_DIGESTS = Digests("0" * 32, "0" * 64)


def _archive(profile: str, night: int, nights: int) -> BackupArchive:
    is_full = night % CHAIN == 0
    at = NOW - timedelta(days=nights - night)
    type = BackupType.FULL if is_full else BackupType.INC
    contents = Contents(Kind.INCREMENTAL, 100, 1 << 20, None, not is_full, ("documents",))
    return BackupArchive(ArchiveId(profile, type, f"{at:%Y-%m-%d}.tar.gz"), 1 << 20, _DIGESTS, at, at, contents)


def _nights(profile: str, nights: int) -> list[PlacedArchive]:
    """A profile with a FULL every 30 nights, and an INC in each other one."""
    archives = [_archive(profile, night, nights) for night in range(nights)]
    rows = [
        (archive, Link(archive.id, None if night % CHAIN == 0 else archives[night - 1].id, Evidence.PROVEN, ""))
        for night, archive in enumerate(archives)
    ]
    return list(placed(rows).values())


def _decisions(profiles: int, archives: int) -> float:
    population = [_nights(f"machine-{number}", archives // profiles) for number in range(profiles)]

    def plan() -> None:
        for number, places in enumerate(population):
            older = without_young(places, POLICY, NOW)
            plan_prune(f"machine-{number}", places, older, POLICY, UTC, NOW)

    return cpu_seconds(plan)


def _planning(profiles: int, _folder: Path, archives: int) -> float:
    return apart(_decisions, profiles, archives)


def _fill(data: Path) -> None:
    FilesystemArchiveStore.open(data, ids=RandomIds()).close()


def _trashing(folder: Path, archives: int) -> float:
    return apart(_trashed, made(folder / "trash", _fill), archives)


def _trashed(data: Path, archives: int) -> float:
    """Elapsed seconds, since most of the time is the disk's; everything is brought back afterwards."""
    store = FilesystemArchiveStore.open(data, ids=RandomIds())
    try:
        some = [_archive("machine", night, archives) for night in range(archives)]
        missing = {archive.id for archive in some}.difference(store.ids())
        for archive in some:
            if archive.id in missing:
                with store.begin() as writer:
                    writer.write(bytes(10_000))
                    writer.seal(b"{}")
                    writer.publish(archive.id)
        notes = [
            TrashNote.of(archive, None, trashed_at=NOW, keep_until=NOW, plan="0" * 64, reasons=("no rule wants it",))
            for archive in some
        ]
        begin = time.perf_counter()
        for note in notes:
            store.trash(note.id, trash_note.encode(note), NOW)
        seconds = time.perf_counter() - begin
        for note in notes:
            store.untrash(note.id)
        return seconds
    finally:
        store.close()


MEASURES = (
    Measure(
        f"prune plans of {PROFILES} profiles, decisions alone",
        "archives",
        (10_000, 30_000, 100_000),
        partial(_planning, PROFILES),
        limit=0.5,
    ),
    Measure("prune plan of one profile, decisions alone", "archives", (1_000, 3_000, 10_000), partial(_planning, 1)),
    Measure("moving to the trash, elapsed", "archives", (100, 300, 1_000), _trashing, limit=3.0),
)
