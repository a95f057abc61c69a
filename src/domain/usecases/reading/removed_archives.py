"""What is known of an archive that was asked for, and that a retention policy removed."""

from __future__ import annotations

from ...errors.retention import ArchiveRemoved
from ...identity.archive_id import ArchiveId
from ...ports.catalog import Catalog
from ...ports.store import ArchiveStore
from ...retention import trash_note
from ...retention.trash_note import TrashNote
from ...tarkeep_error import TarkeepError


def removal_of(id: ArchiveId, catalog: Catalog, store: ArchiveStore) -> ArchiveRemoved | None:
    """
    The error that says that *id* was removed, when, why and whether it can come back; None if it was not.

    What its note does not say, because it is missing or damaged, is left out.
    """
    for removed in catalog.removed(id.profile, id.type, [id.name]):
        note = _note(id, store)
        if note is None:
            return ArchiveRemoved(str(id), removed.sha256 or "")
        return ArchiveRemoved(
            str(id), removed.sha256 or "", note.trashed_at, note.plan, note.reasons, note.keep_until, note.purged_at
        )
    return None


def check_not_removed(id: ArchiveId, catalog: Catalog, store: ArchiveStore) -> None:
    """
    Nothing, unless *id* was removed.

    Raises:
        ArchiveRemoved: it was.
    """
    removal = removal_of(id, catalog, store)
    if removal is not None:
        raise removal


def _note(id: ArchiveId, store: ArchiveStore) -> TrashNote | None:
    try:
        raw = store.note(id)
        return None if raw is None else trash_note.decode(raw)
    except TarkeepError:  # that it was removed is known all the same
        return None
