"""
Adding to the evidence what was moved to the trash, or removed from it, by a process that was killed before it said so.

A run has one line for all that it removed, which is written at its end. The notes in the trash say what it removed
until then, and when; a line about it cannot be older than that.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Iterator
from datetime import datetime

from ...evidence.entry import EvidenceEntry, EvidenceKind, entry_of, month_of
from ...evidence.facts import gone_in, of_pruning, of_purge, short
from ...identity.archive_id import ArchiveId
from ...ports.upkeep.evidence import EvidenceLog
from ...profiles.span import Span, Unit
from ...retention.trash_note import TrashNote
from ...text.counted import counted
from .put_on_record import put_on_record

_LOOKED_AT = Span(30, Unit.DAY)
"""How long after it was removed for good an archive is looked for in the evidence; every run since has done that."""

_WORDS = {kind: f'"kind": "{kind.value}"'.encode() for kind in (EvidenceKind.PRUNED, EvidenceKind.PURGED)}

_Missing = dict[tuple[EvidenceKind, ArchiveId, str], TrashNote]


def put_untold_removals_on_record(notes: Iterable[TrashNote], evidence: EvidenceLog, now: datetime) -> int:
    """
    Have *evidence* say of each archive in the trash that it was moved there, and of each that left it for good that it
    did, if no line does. *notes* are those of the trash. Returns how many archives were added.

    Cost: the lines of the months since the oldest of these removals are read.

    Raises:
        EvidenceNotWritten: the evidence could not be added to.
        BackendUnavailable: it cannot be read.
    """
    missing = _removals(notes, now)
    if not missing:
        return 0
    for entry in _lines(evidence, month_of(min(note.trashed_at for note in missing.values()))):
        for id, digest in gone_in(entry):
            note = missing.get((entry.kind, id, digest))
            if note is not None and entry.at >= _since(entry.kind, note):
                del missing[entry.kind, id, digest]
    for entry in _entries(missing, now):
        what = f"{counted(len(missing), 'archive')} removed by a process that was killed"
        put_on_record(entry, evidence, what)
    return len(missing)


def _removals(notes: Iterable[TrashNote], now: datetime) -> _Missing:
    found: _Missing = {}
    for note in notes:
        digest = short(note.digests.sha256)
        if note.purged_at is None or note.purged_at >= _LOOKED_AT.before(now):
            found[EvidenceKind.PRUNED, note.id, digest] = note
        if note.purged_at is not None and note.purged_at >= _LOOKED_AT.before(now):
            found[EvidenceKind.PURGED, note.id, digest] = note
    return found


def _since(kind: EvidenceKind, note: TrashNote) -> datetime:
    if kind is EvidenceKind.PURGED and note.purged_at is not None:
        return note.purged_at
    return note.trashed_at


def _lines(evidence: EvidenceLog, since: str) -> Iterator[EvidenceEntry]:
    for month in evidence.months():
        if month < since:
            continue
        for line in evidence.read(month):
            if any(word in line for word in _WORDS.values()):
                entry = entry_of(line)
                if entry is not None:
                    yield entry


def _entries(missing: _Missing, now: datetime) -> Iterator[EvidenceEntry]:
    """A line for each run that did not write its own."""
    pruned: defaultdict[tuple[str, str, str | None], list[tuple[ArchiveId, str]]] = defaultdict(list)
    purged: list[tuple[ArchiveId, str]] = []
    for (kind, id, _), note in missing.items():
        if kind is EvidenceKind.PRUNED:
            pruned[id.profile, note.plan, note.who].append((id, note.digests.sha256))
        else:
            purged.append((id, note.digests.sha256))
    for (profile, plan, who), archives in pruned.items():
        yield of_pruning(now, profile, plan, "plan", who, archives)
    if purged:
        yield of_purge(now, purged)
