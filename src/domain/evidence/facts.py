"""
What a line of evidence says about each kind of thing that happens, and how a rebuild reads it back.

The rule: archives are named in full, and their bytes by the first 16 digits of their SHA-256: two versions of
one archive do not share these. What was read right is one line for up to `MOST_READ` archives, not one for each:
so a night of 100,000 archives has 200 lines, and what a rebuild needs is in them.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from datetime import datetime

from ..drills.comparison import NameDiffers
from ..drills.drill import Drill, DrilledArchive, DrillKind, DrillOutcome, DrillReport, DrillWay
from ..identity.archive_id import ArchiveId, BackupType
from ..jobs.job import JobReport
from ..scrubbing.unread import FoundRight
from ..tarkeep_error import TarkeepError
from ..text.paths import path_bytes, path_text
from ..text.times import rfc3339
from .entry import EvidenceEntry, EvidenceKind

MOST_READ = 500
_MOST_DIFFERENCES = 20
_SHORT = 16


def short(sha256: str) -> str:
    """What a line has of the SHA-256 of an archive."""
    return sha256[:_SHORT]


def _by_profile(archives: Iterable[tuple[ArchiveId, str]]) -> dict[str, dict[str, str]]:
    named: dict[str, dict[str, str]] = {}
    for id, sha256 in archives:
        named.setdefault(id.profile, {})[id.label] = short(sha256)
    return named


# -- scrub -----------------------------------------------------------------------------------------------------------


def of_scrub(at: datetime, report: JobReport) -> EvidenceEntry:
    """A run of the scrub ended."""
    return EvidenceEntry(
        at,
        EvidenceKind.SCRUB,
        {"summary": report.summary, **report.counts, "was_stopped": report.is_stopped},
    )


def of_reading(at: datetime, found: Sequence[FoundRight]) -> EvidenceEntry:
    """The archives *found*, at least one, were read and are right, none of them earlier than the line says."""
    return EvidenceEntry(
        at,
        EvidenceKind.READ,
        {
            "since": rfc3339(min(one.verified_at for one in found)),
            "archives": _by_profile((one.archive.id, one.archive.digests.sha256) for one in found),
        },
    )


def read_in(entry: EvidenceEntry) -> Iterator[tuple[ArchiveId, str, datetime]]:
    """
    The archives that *entry* says were read right: identity, the beginning of the SHA-256, and a time not later than
    that of the reading. Names that make no sense are passed over.
    """
    archives = entry.told.get("archives")
    if entry.kind is not EvidenceKind.READ or not isinstance(archives, Mapping):
        return
    try:
        since = datetime.fromisoformat(str(entry.told.get("since")))
    except ValueError:
        return
    if since.tzinfo is None:
        return
    for id, digest in _named(archives):
        yield id, digest, since


def _named(archives: object) -> Iterator[tuple[ArchiveId, str]]:
    """What a line names by profile, as `_by_profile` made it."""
    for profile, named in archives.items() if isinstance(archives, Mapping) else ():
        for label, digest in named.items() if isinstance(named, Mapping) else ():
            try:
                id = _id(str(profile), str(label))
            except (TarkeepError, ValueError):
                continue
            if isinstance(digest, str) and len(digest) == _SHORT:
                yield id, digest


def of_finding(at: datetime, kind: EvidenceKind, id: ArchiveId, what: str) -> EvidenceEntry:
    """Something was found out about the archive *id*; *what* says it in a few words, and may be empty."""
    told = {"profile": id.profile, "archive": id.label}
    return EvidenceEntry(at, kind, told | ({"what": what} if what else {}))


# -- drills ----------------------------------------------------------------------------------------------------------


def of_drill(drill: Drill) -> EvidenceEntry:
    """*drill*, which has ended; a rehearsal is told by its weaker word."""
    assert drill.ended_at is not None
    report = drill.report
    kind = EvidenceKind.DRILL if drill.kind is DrillKind.DRILL else EvidenceKind.REHEARSED
    return EvidenceEntry(
        drill.ended_at,
        kind,
        {
            "id": drill.id,
            "profile": drill.profile,
            "archive": drill.point.label,
            "outcome": drill.outcome.value,
            "way": drill.way.value,
            "turn": drill.turn,
            "who": drill.who,
            "started_at": rfc3339(drill.started_at),
            "expected": report.expected,
            "names": report.names,
            "different": report.different,
            "bytes": report.restored_bytes,
            "seconds": round(report.seconds, 3),
            "share": drill.share,
            "folders": [path_text(folder) for folder in drill.folders],
            "is_exact": drill.is_exact,
            "archives": [
                {"archive": one.id.label, "sha256": one.sha256, "size": one.size_bytes, "dumpdirs": one.is_incremental}
                for one in drill.archives
            ],
            "tar": report.tar,
            "sandbox": report.sandbox,
            "not_compared": list(report.not_compared),
            "differences": [
                {"path": path_text(one.path), "what": one.what} for one in report.differences[:_MOST_DIFFERENCES]
            ],
            "error": report.error,
        },
    )


def drill_in(entry: EvidenceEntry) -> Drill | None:
    """The drill or rehearsal that *entry* is about; None if it is about none, or not all of it makes sense."""
    if entry.kind not in (EvidenceKind.DRILL, EvidenceKind.REHEARSED):
        return None
    try:
        return _drill(entry, _Told(entry.told))
    except (KeyError, TypeError, ValueError, TarkeepError):
        return None


class _Told:
    """Members of an object of JSON, each of the type that is asked for. Raises KeyError, TypeError."""

    def __init__(self, told: object) -> None:
        if not isinstance(told, Mapping):
            raise TypeError
        self._told = told

    def text(self, name: str) -> str:
        return str(self._told[name])

    def number(self, name: str) -> int:
        return round(self.decimal(name))

    def decimal(self, name: str) -> float:
        found = self._told[name]
        if not isinstance(found, int | float):
            raise TypeError(name)
        return float(found)

    def is_true(self, name: str) -> bool:
        return self._told[name] is True

    def items(self, name: str) -> list[object]:
        found = self._told[name]
        if not isinstance(found, list):
            raise TypeError(name)
        return found

    def get(self, name: str) -> object:
        return self._told.get(name)


def _id(profile: str, label: str) -> ArchiveId:
    type, _, name = label.partition("/")
    return ArchiveId(profile, BackupType(type), name)


def _drill(entry: EvidenceEntry, told: _Told) -> Drill:
    profile, who = told.text("profile"), told.get("who")
    archives = [_Told(one) for one in told.items("archives")]
    return Drill(
        told.text("id"),
        DrillKind.DRILL if entry.kind is EvidenceKind.DRILL else DrillKind.REHEARSAL,
        _id(profile, told.text("archive")),
        told.number("turn"),
        DrillWay(told.text("way")),
        tuple(
            DrilledArchive(
                _id(profile, one.text("archive")), one.text("sha256"), one.number("size"), one.is_true("dumpdirs")
            )
            for one in archives
        ),
        datetime.fromisoformat(told.text("started_at")),
        None if who is None else str(who),
        told.is_true("is_exact"),
        tuple(path_bytes(str(folder)) for folder in told.items("folders")),
        told.decimal("share"),
        DrillOutcome(told.text("outcome")),
        entry.at,
        DrillReport(
            told.number("expected"),
            told.number("names"),
            told.number("bytes"),
            told.decimal("seconds"),
            told.number("different"),
            tuple(
                NameDiffers(path_bytes(one.text("path")), one.text("what"))
                for one in map(_Told, told.items("differences"))
            ),
            tuple(map(str, told.items("not_compared"))),
            told.text("tar"),
            told.text("sandbox"),
            (),
            told.text("error"),
        ),
    )


# -- what goes, and who let it ---------------------------------------------------------------------------------------


def of_pruning(
    at: datetime, profile: str, plan: str, by: str, who: str | None, archives: Sequence[tuple[ArchiveId, str]]
) -> EvidenceEntry:
    """*archives*, each with its SHA-256, were moved to the trash as the *plan* with that digest says."""
    told = {
        "profile": profile,
        "plan": plan,
        "by": by,
        "who": who,
        "removed": len(archives),
        "archives": {id.label: short(sha256) for id, sha256 in archives},
    }
    return EvidenceEntry(at, EvidenceKind.PRUNED, told)


def gone_in(entry: EvidenceEntry) -> Iterator[tuple[ArchiveId, str]]:
    """
    The archives of which *entry* says that they were moved to the trash, or removed from it: identity, and the
    beginning of the SHA-256. Names that make no sense are passed over.
    """
    archives, profile = entry.told.get("archives"), entry.told.get("profile")
    if entry.kind is EvidenceKind.PRUNED:
        archives = {profile: archives}
    elif entry.kind is not EvidenceKind.PURGED:
        return
    yield from _named(archives)


def of_purge(at: datetime, archives: Sequence[tuple[ArchiveId, str]]) -> EvidenceEntry:
    """*archives*, each with its SHA-256, were removed from the trash for good."""
    return EvidenceEntry(at, EvidenceKind.PURGED, {"removed": len(archives), "archives": _by_profile(archives)})


def of_release(at: datetime, what: str, who: str | None, profile: str, archives: Iterable[ArchiveId]) -> EvidenceEntry:
    """*who*, as in the audit log, released *what*, such as ``hold audit`` or ``brake``, of *archives*."""
    told = {"what": what, "profile": profile, "who": who, "archives": [id.label for id in archives]}
    return EvidenceEntry(at, EvidenceKind.RELEASED, told)
