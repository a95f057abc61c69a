"""The cost of prune plans, by the number of archives; and of moving archives to the trash and back."""

from __future__ import annotations

import hashlib
import time
from datetime import UTC, datetime, timedelta
from functools import partial
from pathlib import Path

from tarkeep.adapters.filesystem.archive_store import FilesystemArchiveStore
from tarkeep.adapters.process.clock_and_ids import RandomIds
from tarkeep.domain.archives.archive import BackupArchive, Contents, Kind, Lineage, Offer
from tarkeep.domain.chains.link import Evidence, Link
from tarkeep.domain.chains.standing import PlacedArchive, placed
from tarkeep.domain.identity.archive_id import ArchiveId, BackupType
from tarkeep.domain.identity.digests import Digests
from tarkeep.domain.profiles.retention_policy import Every, KeepRule, RetentionPolicy
from tarkeep.domain.retention import trash_note
from tarkeep.domain.retention.prune_plan import plan_prune, without_young
from tarkeep.domain.retention.trash_note import TrashNote
from tarkeep.entrypoints.wiring.tarkeep import Tarkeep

from .measure import Measure, apart, cpu_seconds, made
from .nights import NIGHTLY, night, opened

PROFILES = 100
_WEEK = 7
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
_RULES = """
["*".retention]
minimum_age = "0d"
keep_last = 3
keep_daily = 5
"""
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


def _with_nights(profiles: int, archives: int, declared: bool, data: Path) -> None:
    """Real archives, a FULL each week and INC after INC in each profile, linked as the first question leaves them."""
    (data / "profiles.toml").write_text(_RULES)
    with opened(data) as tarkeep:
        for profile in _names(profiles):
            for number in range(archives // profiles):
                _receive(tarkeep, profile, number, declared=declared)
            tarkeep.plan_prune(profile)


def _receive(tarkeep: Tarkeep, profile: str, number: int, *, declared: bool) -> None:
    since_full = number % _WEEK
    lineage = Lineage()
    if declared:  # what the client of this project sends along
        lineage = Lineage(
            snapshot_before=_snapshot(number - 1) if since_full else None, snapshot_after=_snapshot(number)
        )
    type = BackupType.INC if since_full else BackupType.FULL
    id = ArchiveId(profile, type, f"night{number:05}.tar.gz")
    offer = Offer(id, taken_at=NOW + (number - 2_000) * NIGHTLY, lineage=lineage)
    tarkeep.receive(offer, iter([night(since_full, 3)]))


def _snapshot(number: int) -> str:
    return hashlib.sha256(b"%d" % number).hexdigest()


def _names(profiles: int) -> list[str]:
    return [f"machine-{number}" for number in range(profiles)]


def _read_and_planned(profiles: int, data: Path) -> float:
    with opened(data) as tarkeep:

        def plan() -> None:
            for profile in _names(profiles):
                if not tarkeep.plan_prune(profile).removed:
                    raise AssertionError(f"the plan of {profile} removes nothing, so it was not worth measuring")

        return cpu_seconds(plan)


def _planning_with_reading(profiles: int, declared: bool, folder: Path, archives: int) -> float:
    data = folder / f"plans-{profiles}-{archives}-{'declared' if declared else 'inferred'}"
    made(data, partial(_with_nights, profiles, archives, declared))
    return apart(_read_and_planned, profiles, data)


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
    Measure(
        f"prune plans of {PROFILES} profiles, with reading",
        "archives",
        (3_000, 10_000, 30_000),
        partial(_planning_with_reading, PROFILES, True),
        limit=0.9,  # 3 s for 100,000
    ),
    Measure(
        "the same where no parent was declared, so that all are linked again without what goes",
        "archives",
        (3_000, 10_000, 30_000),
        partial(_planning_with_reading, PROFILES, False),
    ),
    Measure("prune plan of one profile, decisions alone", "archives", (1_000, 3_000, 10_000), partial(_planning, 1)),
    Measure("moving to the trash, elapsed", "archives", (100, 300, 1_000), _trashing, limit=3.0),
)
