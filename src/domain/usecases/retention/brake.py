"""
The brake: a suspicious archive stops the pruning of its profile until somebody has looked.

So do marks that cannot be read: they may have said that their archive is suspicious. It counts wherever it is, in the
trash too: what matters is that nobody has looked.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from contextlib import suppress

from attrs import evolve, frozen

from ...access.audit import HOST
from ...errors.archives import ArchiveNotFound, ProfileNotFound
from ...evidence.facts import of_release
from ...identity.archive_id import ArchiveId
from ...ports.catalog import Catalog
from ...ports.store import ArchiveStore
from ...ports.system import Clock
from ...ports.upkeep.evidence import EvidenceLog
from ...retention.marks import Marks
from ...retention.suspicion import Suspicion
from ..access.put_on_record import put_on_record
from .protect import marks_in, rewrite_marks

NAMED = 3
"""So many archives that stop pruning are named; the others are counted."""


def stopping(found: Mapping[ArchiveId, Marks]) -> dict[ArchiveId, Suspicion | None]:
    """Those of *found* that stop pruning, and what is suspicious about each: None if its marks cannot be read."""
    return {id: marks.suspicion for id, marks in found.items() if marks.is_unreadable or marks.suspicion is not None}


def why_stopped(id: ArchiveId, suspicion: Suspicion | None) -> str:
    """Why *id* stops pruning, as a sentence without its full stop."""
    if suspicion is not None:
        return f"{id.label} is suspicious: {suspicion}"
    return (
        f"the marks of {id.label} cannot be read, and may say that it is suspicious: look at the archive, then mend or "
        f"remove the file {id.label}.marks"
    )


def few(reasons: Iterable[str]) -> list[str]:
    """The first `NAMED` of the *reasons* why archives stop pruning, and how many more archives do."""
    told = list(reasons)
    if len(told) <= NAMED + 1:
        return told
    return [*told[:NAMED], f"so are {len(told) - NAMED} more archives"]


@frozen
class ShowBrake:
    """Show why the pruning of a profile is stopped."""

    store: ArchiveStore
    catalog: Catalog

    def __call__(self, profile: str) -> dict[ArchiveId, Suspicion | None]:
        """
        The suspicious archives of *profile* in the order of their judgements; empty if it is not braked.

        After them come those whose marks cannot be read, each with None.

        Raises:
            ProfileNotFound: the profile has no stored archive.
        """
        if not self.catalog.totals(profile):
            raise ProfileNotFound(profile)
        found = stopping(marks_in(profile, self.store))
        judged = {id: suspicion for id, suspicion in found.items() if suspicion is not None}
        in_order = dict(sorted(judged.items(), key=lambda one: (one[1].judged_at, one[0])))
        return {**in_order, **found}


@frozen
class ReleaseBrake:
    """Say that suspicious archives are as they should be: pruning goes on."""

    store: ArchiveStore
    catalog: Catalog
    clock: Clock
    evidence: EvidenceLog

    def __call__(self, to: ArchiveId, who: str | None = HOST) -> tuple[tuple[ArchiveId, ...], tuple[ArchiveId, ...]]:
        """
        Release the brake of the profile for *to* and what was received before it; *who* asks for it, as in the audit
        log.

        What came later, and nobody has seen yet, keeps the brake; so does an archive whose marks cannot be read, since
        what they say beside that would be lost. Returns the archives that are trusted now, and those that still stop
        pruning.

        Raises:
            ArchiveNotFound: *to* is neither stored nor in the trash.
            MarksUnreadable: the marks of an archive were damaged a moment ago.
            EvidenceNotWritten: the brake is released, and that is not in the evidence.
        """
        among = self.catalog.neighbours(to.profile)
        last = among.named(to)
        if last is None:
            raise ArchiveNotFound(str(to))
        found = stopping(marks_in(to.profile, self.store))
        seen = [
            id
            for id, suspicion in found.items()
            if suspicion is not None
            and (archive := among.named(id)) is not None
            and archive.received_at <= last.received_at
        ]
        for id in seen:
            with suppress(ArchiveNotFound):  # removed meanwhile
                rewrite_marks(id, lambda present: evolve(present, suspicion=None), self.store)
        if seen:
            entry = of_release(self.clock.now(), "brake", who, to.profile, seen)
            put_on_record(entry, self.evidence, f"the brake of {to.profile} was released up to {to.label}")
        return tuple(seen), tuple(id for id in found if id not in seen)
