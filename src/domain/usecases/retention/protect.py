"""
Protecting archives: holds, which someone releases again, and locks, which only time ends.

A mark on an archive protects its whole path, because a plan keeps whatever a kept archive builds on.
"""

from __future__ import annotations

from collections.abc import Callable
from datetime import datetime

from attrs import evolve, frozen

from ...access.audit import HOST
from ...errors.archives import AlreadyPublished, ArchiveNotFound
from ...errors.retention import HoldExists, HoldNotFound, LockEarlier, MarksUnreadable, TimeIsOver
from ...evidence.facts import of_release
from ...identity.archive_id import ArchiveId
from ...ports.catalog import Catalog
from ...ports.store import ArchiveStore
from ...ports.system import Clock
from ...ports.upkeep.evidence import EvidenceLog
from ...retention import marks
from ...retention.marks import Hold, Marks
from ..access.put_on_record import put_on_record
from ..reading.removed_archives import check_not_removed


def change_marks(id: ArchiveId, change: Callable[[Marks], Marks], store: ArchiveStore, catalog: Catalog) -> Marks:
    """
    Durably replace the marks of *id* by what *change* makes of them; returns the new ones.

    Raises:
        ArchiveRemoved: it was removed by the policy of its profile.
        ArchiveNotFound: it is not stored.
        MarksUnreadable: its marks are damaged.
        Any error that *change* raises.
    """
    _check_is_stored(id, catalog, store)
    return rewrite_marks(id, change, store)


def rewrite_marks(id: ArchiveId, change: Callable[[Marks], Marks], store: ArchiveStore) -> Marks:
    """As `change_marks`, for an archive that may be in the trash; ArchiveNotFound if it is in neither."""
    while True:
        raw = store.marks(id)
        present = marks.decode(raw)
        if present.is_unreadable:
            raise MarksUnreadable(id)
        new = change(present)
        if raw is None and new == present:
            return present
        try:  # even if they are equal: a call that failed may have left marks that are not durable
            store.mark(id, marks.encode(evolve(new, of=str(id))), raw)
        except AlreadyPublished:  # another caller changed them meanwhile
            continue
        return new


def _check_is_stored(id: ArchiveId, catalog: Catalog, store: ArchiveStore) -> None:
    try:
        catalog.find(id)
    except ArchiveNotFound:
        check_not_removed(id, catalog, store)
        raise


def marks_in(profile: str, store: ArchiveStore) -> dict[ArchiveId, Marks]:
    """The marks of all archives of *profile* that have some."""
    found: dict[ArchiveId, Marks] = {}
    for id in store.marked(profile):
        try:
            found[id] = marks.decode(store.marks(id))
        except ArchiveNotFound:  # removed meanwhile
            continue
    return found


@frozen
class ReadMarks:
    """Show the marks of an archive."""

    store: ArchiveStore
    catalog: Catalog

    def __call__(self, id: ArchiveId) -> Marks:
        """
        The marks of *id*.

        Raises:
            ArchiveRemoved: it was removed by the policy of its profile.
            ArchiveNotFound: it is not stored.
        """
        _check_is_stored(id, self.catalog, self.store)
        return marks.decode(self.store.marks(id))


@frozen
class ReadAllMarks:
    """Show the marks of all archives of a profile."""

    store: ArchiveStore

    def __call__(self, profile: str) -> dict[ArchiveId, Marks]:
        """
        The marks of those archives of *profile* that have some, in the trash too.

        Cost: grows with their number.
        """
        return marks_in(profile, self.store)


@frozen
class MakeHold:
    """Hold an archive until someone releases it, or until a time."""

    store: ArchiveStore
    catalog: Catalog
    clock: Clock

    def __call__(self, id: ArchiveId, hold: str, reason: str, until: datetime | None = None) -> Marks:
        """
        Make the hold named *hold*; the same call again changes nothing. Returns all marks.

        Raises:
            ArchiveNotFound: the archive is not stored.
            HoldExists: it has a hold of that name with another reason or time.
            MarksUnreadable: its marks are damaged.
            TimeIsOver: it would have ended already.
            ValueError: the name or the reason is not one, or there are too many holds.
        """
        made = Hold(hold, reason, self.clock.now(), until)
        if not made.counts(made.made_at):
            raise TimeIsOver(id, made.until or made.made_at)

        def held(present: Marks) -> Marks:
            known = present.hold(hold)
            if known is None or not known.counts(made.made_at):
                return present.held(made)
            if evolve(known, made_at=made.made_at) != made:
                raise HoldExists(id, hold, known.reason)
            return present

        return change_marks(id, held, self.store, self.catalog)


@frozen
class ReleaseHold:
    """Release a hold of an archive."""

    store: ArchiveStore
    catalog: Catalog
    clock: Clock
    evidence: EvidenceLog

    def __call__(self, id: ArchiveId, hold: str, who: str | None = HOST) -> Marks:
        """
        Release the hold named *hold*; *who* asks for it, as in the audit log. Returns the remaining marks.

        Raises:
            ArchiveNotFound: the archive is not stored.
            HoldNotFound: it has no such hold.
            MarksUnreadable: its marks are damaged.
            EvidenceNotWritten: the hold is released, and that is not in the evidence.
        """

        def released(present: Marks) -> Marks:
            if present.hold(hold) is None:
                raise HoldNotFound(id, hold)
            return present.released(hold)

        left = change_marks(id, released, self.store, self.catalog)
        entry = of_release(self.clock.now(), f"hold {hold}", who, id.profile, [id])
        put_on_record(entry, self.evidence, f"the hold {hold} of {id} was released")
        return left


@frozen
class LockArchive:
    """Lock an archive until a time, which nobody can shorten."""

    store: ArchiveStore
    catalog: Catalog
    clock: Clock

    def __call__(self, id: ArchiveId, until: datetime) -> Marks:
        """
        Lock *id* until then. Returns all marks.

        Raises:
            ArchiveNotFound: the archive is not stored.
            LockEarlier: it is locked for longer already.
            MarksUnreadable: its marks are damaged.
            TimeIsOver: it would have ended already.
        """
        if until <= self.clock.now():
            raise TimeIsOver(id, until)

        def locked(present: Marks) -> Marks:
            if present.locked_until is not None and present.locked_until > until:
                raise LockEarlier(id, present.locked_until)
            return present.locked(until)

        return change_marks(id, locked, self.store, self.catalog)
